/** The request for a merge, and the files that it names. */
import * as v from "valibot";
import { checkFinite } from "../../core/files/finite_weights.ts";
import { contentIn } from "../../core/jobs/files.ts";
import { openAdapter, type OpenedAdapter } from "../../formats/peft/merge/config.ts";
import { mergeMethods } from "../../formats/peft/merge/methods.ts";
import { storeWithin } from "../../core/files/within.ts";
import type { Store } from "../../core/types.ts";
import { httpError } from "../http/responses.ts";
import { guardedFetch } from "../http/guarded_fetch.ts";
import { placedFiles, urlFiles } from "../http/read_files.ts";
import type { Caller } from "../http/route.ts";
import type { EdgeService } from "./service.ts";
import { adapterFiles } from "../../formats/peft/files.ts";
import { runFolders } from "../../formats/run/files.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

const reference = v.pipe(v.string(), v.minLength(1), v.maxLength(2048));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const wholeNumber = v.pipe(v.number(), v.integer(), v.minValue(0));

/** The body of the request. */
export const mergeSchema = v.strictObject({
  /** `file`: an uploaded file, the name of a model or adapter, or a URL; `config`: for files and URLs without one. */
  adapters: v.pipe(
    v.array(v.strictObject({
      file: reference,
      weight: v.optional(v.pipe(v.number(), v.finite()), 1),
      config: v.optional(v.union([reference, v.record(v.string(), v.unknown())])),
    })),
    v.minLength(1),
    v.maxLength(16),
  ),
  method: v.optional(v.picklist(mergeMethods), "linear"),
  /** A model's name or URL; if given, the result is the whole model. */
  base: v.optional(reference),
  options: v.optional(
    v.strictObject({
      density: v.optional(share),
      majoritySignMethod: v.optional(v.picklist(["total", "frequency"])),
      svdRank: v.optional(v.pipe(wholeNumber, v.minValue(1))),
      modulesFrom: v.optional(wholeNumber),
      seed: v.optional(wholeNumber),
      /** The masks of dare: by tensor, 1 or 0 for each value of each adapter. */
      masks: v.optional(v.record(v.string(), v.array(v.array(v.picklist([0, 1]))))),
    }),
    {},
  ),
  /** Whether to store the result as a file and respond with its id. */
  store: v.optional(v.boolean(), false),
  /** Whether to respond with the largest difference of an output between merged and unmerged, too. */
  verify: v.optional(v.boolean(), false),
});

/** A checked request for a merge. */
export type MergeRequest = v.InferOutput<typeof mergeSchema>;

/** Opens the files that a request names. */
export type MergeFiles = Readonly<{
  /** Opens the files of a model or adapter. `alone`: the key of a single file that was uploaded or is at a URL. */
  open(name: string, caller: Caller, alone: string, param: string): Promise<Store>;
  upload(id: string, caller: Caller, param: string): Promise<Readonly<{ store: Store; key: string }>>;
}>;

/** An opened adapter of a request. */
export type NamedAdapter = Readonly<{ store: Store; opened: OpenedAdapter }>;

/** Returns the access to the files of a service. */
export function mergeFiles(service: EdgeService): MergeFiles {
  const { options } = service;
  const fetchUrl = guardedFetch({ allow: options.allowUrls ?? [], fetch: options.fetch });
  const upload: MergeFiles["upload"] = async (id, { tenant }, param) => {
    const { jobs } = options;
    const info = await jobs?.files.get(id);
    if (!jobs || info?.tenant !== tenant) throw httpError(404, "not_found", `${param}: no file ${id}`, param);
    return { store: contentIn(jobs.store), key: id };
  };
  return {
    upload,
    open: async (name, caller, alone, param) => {
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return urlFiles(name, alone, fetchUrl);
      if (name.startsWith("file-")) return placedFiles({ [alone]: await upload(name, caller, param) });
      return (await service.find(name, caller, param)).files;
    },
  };
}

/** Opens a request's adapters, and checks that their tensors are finite. */
export async function openAdapterPool(
  { adapters }: MergeRequest,
  caller: Caller,
  files: MergeFiles,
): Promise<NamedAdapter[]> {
  const all: NamedAdapter[] = [];
  for (const [i, { file, config }] of adapters.entries()) {
    const named = await files.open(file, caller, adapterFiles.weights, `adapters.${i}.file`);
    const inner = storeWithin(named, `${runFolders.adapter}/`);
    // A job's result has its adapter in a folder.
    const folder = !file.startsWith("file-") && !file.includes("://") &&
        await inner.get(adapterFiles.config, { offset: 0, length: 0 })
      ? inner
      : named;
    const upload = typeof config === "string"
      ? await files.upload(config, caller, `adapters.${i}.config`)
      : config && jsonBytes(config);
    const store = upload ? placedFiles({ [adapterFiles.config]: upload }, folder) : folder;
    await checkFinite(store, adapterFiles.weights);
    all.push({ store, opened: await openAdapter(`adapters.${i}`, store) });
  }
  return all;
}
