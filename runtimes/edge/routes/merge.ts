/**
 * `/v1/adapters/merge`: adapters as one, or folded into their base, streamed tensor by tensor.
 * @module
 */
import * as v from "valibot";
import { released } from "../../../core/bytes.ts";
import { compose } from "../../../core/compose.ts";
import { badValue, tooMuch } from "../../../core/errors.ts";
import { checkFinite, checkFiniteModel } from "../../../core/finite_weights.ts";
import { contentIn } from "../../../core/jobs/files.ts";
import { combineAdapters } from "../../../core/merge/adapters.ts";
import { CONFIG_IN_METADATA, openAdapter, type OpenedAdapter } from "../../../core/merge/config.ts";
import { mergeIntoBase } from "../../../core/merge/into_base.ts";
import type { MergeOptions } from "../../../core/merge/merged_adapter.ts";
import { mergeMethods } from "../../../core/merge/methods.ts";
import { writeMerged } from "../../../core/merge/write_adapter.ts";
import { refuseQuantized } from "../../../core/quantized.ts";
import { verifyExport } from "../../../core/run/export.ts";
import { openRun } from "../../../core/run/open.ts";
import { configIn, sharedTensors } from "../../../core/run/shared_tensors.ts";
import { within } from "../../../core/within.ts";
import { openWeights, safetensorsSize, streamSafetensors, type TensorForm } from "../../../core/safetensors.ts";
import type { Host, Json, Named, RunSpec, Store, Tensor } from "../../../core/types.ts";
import { failed } from "../answers.ts";
import { begun, finiteTensor } from "../finite_pieces.ts";
import { guardedFetch } from "../guarded_fetch.ts";
import { fileShape } from "../job_shapes.ts";
import { modelWithin } from "../named_run.ts";
import { never } from "../offload.ts";
import { classification, embeddings } from "../purposes.ts";
import { placedFiles, readAhead, urlFiles } from "../read_files.ts";
import { type Caller, jsonRoute, type Route } from "../route.ts";
import { savedIn } from "../saved.ts";
import type { EdgeService } from "../service.ts";

const reference = v.pipe(v.string(), v.minLength(1), v.maxLength(2048));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));

/** The body. */
const mergeSchema = v.strictObject({
  /** `file`: an uploaded file, the name of a model or adapter here, or a URL; `config`: of a file or URL that has none beside it. */
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
  /** A model's name or URL: the result is the whole model then. */
  base: v.optional(reference),
  options: v.optional(
    v.strictObject({
      density: v.optional(share),
      majoritySignMethod: v.optional(v.picklist(["total", "frequency"])),
      svdRank: v.optional(v.pipe(whole, v.minValue(1))),
      modulesFrom: v.optional(whole),
      seed: v.optional(whole),
      /** What dare keeps: by tensor, 1 or 0 for each value of each adapter. */
      masks: v.optional(v.record(v.string(), v.array(v.array(v.picklist([0, 1]))))),
    }),
    {},
  ),
  /** Keep the result as a file, and tell its id. */
  store: v.optional(v.boolean(), false),
  /** Also tell the largest difference of an output between merged and unmerged. */
  verify: v.optional(v.boolean(), false),
});

type Body = v.InferOutput<typeof mergeSchema>;

/** A file to be: all that can be refused has been. */
type Merged = Readonly<{
  forms: Named<TensorForm>;
  read(name: string): Promise<Tensor> | AsyncIterable<Uint8Array>;
  metadata: Named<string>;
  /** The one adapter that it is, as files. */
  adapter: Store;
  base?: Store | undefined;
}>;

const MAX_HEADER = 8 * 2 ** 20;

/** The routes. */
export function mergeRoutes(service: EdgeService): readonly Route[] {
  const { options, limits } = service;
  const fetchUrl = guardedFetch({ allow: options.allowUrls ?? [], fetch: options.fetch });
  const uploaded = async (id: string, { tenant }: Caller, param: string) => {
    const { jobs } = options;
    const info = await jobs?.files.get(id);
    if (!jobs || info?.tenant !== tenant) throw failed(404, "not_found", `${param}: no file ${id}`, param);
    return { store: contentIn(jobs.store), key: id };
  };
  const filesOf = async (name: string, caller: Caller, alone: string, param: string): Promise<Store> => {
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return urlFiles(name, alone, fetchUrl);
    if (name.startsWith("file-")) return placedFiles({ [alone]: await uploaded(name, caller, param) });
    return (await service.find(name, caller, param)).files;
  };
  const opened = async ({ adapters }: Body, caller: Caller): Promise<{ store: Store; own: OpenedAdapter }[]> => {
    const all: { store: Store; own: OpenedAdapter }[] = [];
    for (const [i, { file, config }] of adapters.entries()) {
      const param = `adapters.${i}.file`;
      const found = await filesOf(file, caller, "adapter_model.safetensors", param);
      const inner = within(found, "adapter/");
      // A job's result has its adapter in a folder.
      const folder = !file.startsWith("file-") && !file.includes("://") &&
          await inner.get("adapter_config.json", { offset: 0, length: 0 })
        ? inner
        : found;
      const given = typeof config === "string"
        ? await uploaded(config, caller, `adapters.${i}.config`)
        : config && new TextEncoder().encode(JSON.stringify(config));
      const store = given ? placedFiles({ "adapter_config.json": given }, folder) : folder;
      await checkFinite(store, "adapter_model.safetensors");
      all.push({ store, own: await openAdapter(`adapters.${i}`, store) });
    }
    return all;
  };
  const planned = async (body: Body, caller: Caller): Promise<Merged> => {
    const all = await opened(body, caller);
    const [first] = all;
    if (!first) throw badValue("merge", "adapters", 0, "at least one adapter");
    const { masks, ...rest } = body.options;
    const weights = body.adapters.map(({ weight }) => weight);
    const merging: MergeOptions = {
      ...rest,
      method: body.method,
      weights,
      maxBytes: limits.mergeBytes,
      maxSteps: limits.steps,
      ...(masks ? { masks: maskOf(masks) } : {}),
    };
    const alone = body.base !== undefined && all.length === 1 && weights[0] === 1;
    const one = alone ? undefined : combineAdapters(all.map(({ own }) => own), merging);
    const size = one ? safetensorsSize(one.forms) : 0;
    if (size > limits.resultBytes) {
      throw tooMuch("merge", "adapters", "bytes of a merged adapter", size, limits.resultBytes);
    }
    if (body.base === undefined && one) {
      const adapter = placedFiles({});
      // Masks that do not fit are found before the first byte.
      if (masks) await heldAdapter(one);
      const metadata = { format: "pt", [CONFIG_IN_METADATA]: JSON.stringify(one.config) };
      return { forms: one.forms, read: one.read, metadata, adapter };
    }
    const adapter = one ? await heldAdapter(one) : first.store;
    const base = await filesOf(body.base ?? "", caller, "model.safetensors", "base");
    // What comes from elsewhere is read once, as it goes on.
    if (!/:\/\//.test(body.base ?? "")) await checkFiniteModel(base);
    const config = await configIn("merge", base, "base");
    refuseQuantized("merge", "base", config);
    const weightsOf = await openWeights(readAhead(base), { maxHeader: MAX_HEADER });
    const { forms, pieces } = mergeIntoBase(
      weightsOf,
      one ? await openAdapter("adapters", adapter) : first.own,
      // What is read ahead is a copy.
      { owned: true, shared: sharedTensors(options.catalog, config, weightsOf.names) },
    );
    return { forms, read: pieces, metadata: { format: "pt" }, adapter, base };
  };
  const bytesOf = ({ forms, read, metadata }: Merged): AsyncIterable<Uint8Array> =>
    streamSafetensors(forms, (name) => finiteTensor(name, forms[name], read(name)), metadata);
  const verified = async (merged: Merged, model: Store, name: string, caller: Caller): Promise<number> => {
    const { host, catalog } = options;
    if (!host?.lib) throw failed(503, "not_configured", "verify: no models are computed here", "verify");
    const { adapter, base } = merged;
    if (!base) throw failed(400, "invalid_value", "verify: a base is needed, to compute with", "verify");
    if (!name.includes("://")) await modelWithin(service, caller, name);
    const saved = await savedIn(adapter);
    const found = { model: base, adapters: saved?.adapters ?? [] };
    const config = JSON.parse(
      new TextDecoder().decode((await adapter.get("adapter_config.json"))?.bytes ?? new Uint8Array()),
    );
    const { task } = config.task_type === "SEQ_CLS"
      ? await classification(found)
      : config.task_type === "CAUSAL_LM"
      ? { task: { use: "causal-lm", with: {} } }
      : await embeddings();
    const { hubCache: _hub, base: _base, resolve: _resolve, names: _names, ...plain } = host;
    const stores: Named<Store> = { base, merged: placedFiles({}, model), adapter };
    const own: Host = { ...plain, directory: (path) => stores[path] ?? placedFiles({}) };
    const run = (path: string, adapters: readonly Json[]) =>
      openRun(
        compose({
          version: 1,
          model: { use: "pretrained", with: { path } },
          task,
          data: { eval: { use: "memory", with: { rows: probes } } },
          adapter: adapters,
        } as unknown as RunSpec, catalog),
        own,
      );
    const use = saved?.adapters?.[0]?.use ?? "lora";
    return await verifyExport(await run("base", [{ use, with: { from: "adapter" } }]), await run("merged", []), false);
  };
  return [jsonRoute({
    method: "post",
    path: "/v1/adapters/merge",
    policy: "merge",
    rate: "heavy",
    maxBytes: limits.bodyBytes,
    work: { lane: "merge", ...never },
    summary: "Merge adapters into one, or into their base",
    description: "Methods are those of PEFT's add_weighted_adapter; with a base, the result is the whole model.",
    body: mergeSchema,
    answers: { "application/octet-stream": v.any(), "application/json": v.object({ file: v.any(), verify: v.any() }) },
    example: { adapters: [{ file: "my-adapter", weight: 1 }], method: "linear", base: "attune:base" },
    handle: async (c, body) => {
      const caller = c.get("caller");
      const { jobs } = options;
      const merged = await planned(body, caller);
      if (!body.store && !body.verify) {
        return new Response(bodyOf(await begun(bytesOf(merged)), safetensorsSize(merged.forms, merged.metadata)), {
          headers: {
            "content-type": "application/octet-stream",
            // A body that is cut off is seen to be.
            "content-length": String(safetensorsSize(merged.forms, merged.metadata)),
          },
        });
      }
      if (!jobs) throw failed(503, "not_configured", "store: no files are kept here", "store");
      const { tenant } = caller;
      const file = { tenant, filename: "merged.safetensors", purpose: "adapter", bytes: bytesOf(merged) };
      const kept = await jobs.files.create(file);
      if (!body.verify) return c.json({ file: fileShape(kept) });
      try {
        const content = { store: contentIn(jobs.store), key: kept.id };
        const model = placedFiles({ "model.safetensors": content }, merged.base);
        const difference = await verified(merged, model, body.base ?? "", caller);
        return c.json({ file: fileShape(kept), verify: { maxLogitDifference: difference, probes: probes.length } });
      } catch (error) {
        // All or nothing.
        await jobs.files.delete(kept.id);
        throw error;
      }
    },
  })];
}

/** What merged and unmerged are compared on. */
const probes: readonly Named<Json>[] = [
  "A quiet film that stays with you.",
  "The food was cold and the service worse.",
  "It does what it says, no more and no less.",
  "Why would anyone pay for this twice?",
].map((text) => ({ text }));

function maskOf(masks: Named<readonly (readonly number[])[]>): MergeOptions["masks"] {
  return (tensor, adapter, length) => {
    const own = Object.hasOwn(masks, tensor) ? masks[tensor]?.[adapter] : undefined;
    if (own?.length !== length) {
      throw badValue("merge", `options.masks: ${tensor}`, own?.length, `${length} values for adapter ${adapter}`);
    }
    return own;
  };
}

/** A combined adapter as files in memory. */
async function heldAdapter(merged: Parameters<typeof writeMerged>[0]): Promise<Store> {
  const files: Record<string, Uint8Array> = {};
  const put = async (key: string, bytes: Uint8Array | AsyncIterable<Uint8Array>) => {
    files[key] = new Uint8Array(
      await new Response(bytes instanceof Uint8Array ? bytes as Uint8Array<ArrayBuffer> : streamOf(bytes))
        .arrayBuffer(),
    );
    return { key, size: files[key].length, revision: "held" };
  };
  await writeMerged(merged, { ...placedFiles(files), put });
  return placedFiles(files);
}

/** workerd's own stream of a known length: what is written to it is gone when the client has it. */
type FixedLength = new (length: number) => Readonly<{
  readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  writable: WritableStream<Uint8Array>;
}>;

/** A body of a known length. */
function bodyOf(pieces: AsyncIterable<Uint8Array>, length: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { FixedLengthStream: own } = globalThis as { FixedLengthStream?: FixedLength };
  if (!own) return streamOf(pieces);
  const { readable, writable } = new own(length);
  const writer = writable.getWriter();
  const write = async (): Promise<void> => {
    for await (const piece of pieces) {
      if (piece.length === 0) continue;
      await writer.write(piece);
      // Pieces are the merge's own copies, and this one has been sent.
      released(piece);
    }
    await writer.close();
  };
  void write().catch((error) => writer.abort(error).catch(() => {}));
  return readable;
}

/** A body that asks for the next piece when there is room for it; what fails breaks it off. */
function streamOf(pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = pieces[Symbol.asyncIterator]();
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else if (value.length > 0) controller.enqueue(value as Uint8Array<ArrayBuffer>);
      else controller.enqueue(new Uint8Array());
    },
    cancel: async () => void await iterator.return?.(),
  }, { highWaterMark: 0 });
}
