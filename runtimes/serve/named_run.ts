/** Runs over models and adapters that requests name. Specs contain no paths, and only the caller's files are used. */
import { compose } from "../../core/spec/compose.ts";
import { missing } from "../../core/base/errors.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { placeReferences } from "../../core/jobs/references.ts";
import type { Host, Json, Named, Row, Run, RunSpec, Store } from "../../core/types.ts";
import { httpError } from "../http/responses.ts";
import { float32Bytes, namedFiles } from "./inference.ts";
import { noFiles } from "../http/read_files.ts";
import type { Caller } from "../http/route.ts";
import type { EdgeService } from "./service.ts";

/** The part of a run spec that a request may set. */
export type NamedRun = Readonly<
  { model: string; adapter?: string | undefined; task: Json; metrics?: Json | undefined; rows?: readonly Row[] }
>;

/** The paths by which these specs name the request's model and adapters. */
const [MODEL, ADAPTER] = ["edge:model", "edge:adapter:"];

/** Composes a run over named files, with a host that provides them. Throws the error to respond with. */
export async function namedRun(
  service: EdgeService,
  caller: Caller,
  { model, adapter, task, metrics, rows = [] }: NamedRun,
): Promise<Readonly<{ run: Run; host: Host }>> {
  const { host, catalog } = service.options;
  if (!host) throw httpError(503, "not_configured", "This server runs no models");
  placeReferences({ task, ...(metrics === undefined ? {} : { metrics }) }, catalog, (_name, at) => {
    throw httpError(400, "invalid_value", `${at}: a request may not set it`, at);
  });
  const { model: files, id, adapters: attached, ids } = await namedFiles(service, { model, adapter, caller });
  await checkSize(service, model, files);
  await service.weights.checkModel(id, files);
  for (const [i, { files }] of attached.entries()) await service.weights.checkAdapter(ids[i] ?? "", files);
  const run = compose({
    version: 1,
    name: "named",
    model: { use: "pretrained", with: { path: MODEL } },
    task,
    data: { eval: { use: "memory", with: { rows } } },
    adapter: attached.map(({ use }, i) => ({ use, with: { from: `${ADAPTER}${i}` } })),
    ...(metrics === undefined ? {} : { metrics }),
  } as unknown as RunSpec, catalog);
  const stores: Named<Store> = {
    [MODEL]: files,
    ...Object.fromEntries(attached.map((saved, i) => [`${ADAPTER}${i}`, saved.files])),
  };
  // Nothing else can be reached, neither the machine's files nor the hub.
  const { hubCache: _hub, names: _names, realPath: _realPath, ...plain } = host;
  const directory = (path: string): Store => stores[path] ?? noFiles;
  const noFetch = (): Promise<never> => Promise.reject(missing("named", "access to the network", "this request"));
  return { run, host: { ...plain, directory, resolve: (path) => path, fetch: noFetch } };
}

/** Returns the files of a model that fits into memory. Throws the error to respond with. */
export async function modelWithin(service: EdgeService, caller: Caller, name: string): Promise<Store> {
  const { files } = await service.find(name, caller);
  await checkSize(service, name, files);
  return files;
}

async function checkSize({ limits }: EdgeService, name: string, files: Store): Promise<void> {
  let bytes = 0;
  for await (const { key, size } of files.list("")) if (key.endsWith(".safetensors")) bytes += size;
  if (await ggufIn(files) !== undefined) bytes = await float32Bytes(files);
  if (bytes <= limits.modelBytes) return;
  const most = `${bytes} bytes of weights, more than the limit of ${limits.modelBytes}`;
  throw httpError(400, "model_too_large", `model: ${name} has ${most}`, "model");
}
