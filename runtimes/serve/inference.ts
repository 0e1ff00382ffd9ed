/** Models for requests: one session of a model serves many adapters, which are inputs of its graph. */
import { compose } from "../../core/spec/compose.ts";
import { tooMuch } from "../../core/base/errors.ts";
import { type AdapterPool, openAdapterPool } from "../../core/inference/adapter_pool.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { missingWeightsIn } from "../../core/files/other_weights.ts";
import { openWeights } from "../../core/files/safetensors.ts";
import { sizeOf } from "../../core/base/tensor.ts";
import { createMutex } from "../../core/base/mutex.ts";
import type { Host, Json, Named, RunSpec, Sample, Store } from "../../core/types.ts";
import { tooLong } from "../http/offload.ts";
import { httpError } from "../http/responses.ts";
import { boundedCache, type Cache } from "./cache.ts";
import { cacheFiles } from "./file_cache.ts";
import { noFiles } from "../http/read_files.ts";
import type { Caller } from "../http/route.ts";
import { detectArtifact, type SavedAdapter } from "../../formats/run/saved.ts";
import type { ModelFiles } from "../http/model_registry.ts";
import type { EdgeLimits, EdgeOptions } from "./options.ts";
import type { Meter } from "../http/meter.ts";
import type { CheckedWeights } from "./checked_weights.ts";
import { adapterFiles } from "../../formats/peft/files.ts";

/** The model and adapters that a request names. */
export type ModelRequest = Readonly<{ model: string; adapter?: string | undefined; caller: Caller }>;

/** The resolved names: a model's files, and adapters to stack on it. */
export type ModelArtifact = Readonly<{ model: Store; adapters: readonly SavedAdapter[] }>;

/** The use of a model: the task, and the longest text in tokens if not the model's maximum. */
export type ServingTask = Readonly<
  { task: Readonly<{ use: string; with: Named<Json> }>; maxLength?: number | undefined }
>;

/** A model with the adapters of a request: `stack` are their names in the set. */
export type OpenedModel = Readonly<{ set: AdapterPool; stack: readonly string[] }>;

/** Access to models in memory. */
export type Inference = Readonly<{
  /** Calls `act` with a request's model, opened for the task that its files imply. Throws the error to respond with. */
  use<R>(asked: ModelRequest, purpose: PurposeOf, act: (ready: OpenedModel) => Promise<R>): Promise<R>;
}>;

/** Finds the task that a model is opened for. */
export type PurposeOf = (found: ModelArtifact) => Promise<ServingTask>;

/** Resolved names with the ids of their files. */
export type ModelFilesAt = ModelArtifact & Readonly<{ id: string; ids: readonly string[] }>;
type Resolved = ModelFilesAt & Readonly<{ task: ServingTask }>;

type Opened = Readonly<{ set: AdapterPool; adapters: Cache<string>; stores: Map<string, Store>; release(): void }>;

/** How long a resolved name is cached, in milliseconds, and how many names are. */
const [CACHED_MS, CACHED_NAMES] = [5000, 256];

/** Finds the files of a model's or adapter's name. Throws 404 if there is none that the caller may use. */
export type FindModel = (name: string, caller: Caller, param?: string) => Promise<ModelFiles>;

/** The parts of the service that models in memory need. */
export type InferenceContext = Readonly<{
  options: Pick<EdgeOptions, "host" | "catalog" | "now">;
  limits: EdgeLimits;
  meter: Meter;
  find: FindModel;
  weights: CheckedWeights;
}>;

/** Creates the models of a service, within its limits of memory. */
export function inferenceOf(service: InferenceContext): Inference {
  const { options: { host, catalog, now = () => performance.now() }, limits, meter, weights: sound } = service;
  const turn = createMutex();
  const models = boundedCache<Opened>(limits.modelBytes, ({ set }) => set.close());
  let added = 0;
  meter.gauge("attune_model_cache_bytes", "Memory that cached models are taken to need", () => models.size().bytes);
  meter.gauge("attune_model_cache_entries", "Cached models", () => models.size().entries);
  const opened = async (
    id: string,
    files: Store,
    { task, maxLength }: ServingTask,
    own: Host,
  ): Promise<Omit<Opened, "release">> => {
    const stores = new Map<string, Store>([["model", files]]);
    const spec = {
      version: 1,
      model: { use: "pretrained", with: { path: "model" } },
      task,
      data: {},
      training: maxLength === undefined ? {} : { maxLength },
    } as unknown as RunSpec;
    // Only the files that the request names can be reached: no hub, no other folder.
    const { hubCache: _hub, base: _base, resolve: _resolve, names: _names, realPath: _realPath, ...rest } = own;
    const confined: Host = { ...rest, directory: (path) => stores.get(path) ?? noFiles };
    await sound.checkModel(id, files);
    const set = await openAdapterPool(compose(spec, catalog), confined, {
      maxSessions: limits.sessions,
      batchTokens: limits.batchTokens,
      turn,
    });
    return { set, stores, adapters: boundedCache<string>(limits.adapterBytes, (name) => set.delete(name)) };
  };
  const loaded = async <R>(
    { set, adapters, stores }: Omit<Opened, "release">,
    wanted: readonly SavedAdapter[],
    ids: readonly string[],
    act: (ready: OpenedModel) => Promise<R>,
    stack: readonly string[] = [],
  ): Promise<R> => {
    const [adapter] = wanted;
    const [id = ""] = ids;
    if (!adapter) return await act({ set, stack });
    const { use, files } = adapter;
    const weights = await files.get(adapterFiles.weights, { offset: 0, length: 0 });
    if (!weights) {
      const { message } = await missingWeightsIn(files, adapterFiles.weights);
      throw httpError(400, "no_adapter", `adapter: ${message}`, "adapter");
    }
    const find = async () => {
      if (weights.size > limits.adapterBytes) {
        const most = `${weights.size} bytes, more than the limit of ${limits.adapterBytes}`;
        throw httpError(400, "adapter_too_large", `adapter: it has ${most}`, "adapter");
      }
      const open = async (): Promise<string> => {
        const name = `adapter ${++added}`;
        await sound.checkAdapter(id, files);
        stores.set(name, files);
        try {
          await set.add(name, { use, with: { from: name } });
        } finally {
          stores.delete(name);
        }
        return name;
      };
      return { bytes: weights.size, open };
    };
    return await adapters.use(
      `${id} ${weights.revision}`,
      find,
      (name) => loaded({ set, adapters, stores }, wanted.slice(1), ids.slice(1), act, [...stack, name]),
    );
  };
  // Resolving a name takes several reads of its files, so the result is cached for a while.
  const known = new Map<string, Readonly<{ until: number; value: Promise<Resolved> }>>();
  const remembered = (asked: ModelRequest, purpose: PurposeOf): Promise<Resolved> => {
    const key = JSON.stringify([purpose.name, asked.caller.tenant, asked.model, asked.adapter]);
    const cached = known.get(key);
    if (cached && cached.until > now()) return cached.value;
    const value = namedFiles(service, asked).then(async (files) => ({ ...files, task: await purpose(files) }));
    known.delete(key);
    known.set(key, { until: now() + CACHED_MS, value });
    value.catch(() => known.delete(key));
    for (const oldest of known.keys()) {
      if (known.size <= CACHED_NAMES) break;
      known.delete(oldest);
    }
    return value;
  };
  return {
    use: async (asked, purpose, act) => {
      if (!host?.lib) throw httpError(503, "not_configured", "This server runs no models");
      const { model, adapters, id, ids, task } = await remembered(asked, purpose);
      const find = async () => {
        const { store, release } = cacheFiles(model);
        const { bytes, most } = { bytes: limits.sessions * await float32Bytes(store), most: limits.modelBytes };
        if (bytes <= most) return { bytes, open: async () => ({ ...await opened(id, store, task, host), release }) };
        const why = `would take about ${bytes} bytes, more than the limit of ${most}`;
        throw httpError(400, "model_too_large", `model: ${asked.model} ${why}`, "model");
      };
      const key = `${id} ${JSON.stringify(task)}`;
      // Sessions are opened on first use; after that, the files are not needed any more.
      return await models.use(key, find, (opened) => loaded(opened, adapters, ids, act).finally(opened.release));
    },
  };
}

/** Returns the files of a request's names. An adapter in place of the model stands for its base with the adapter. */
export async function namedFiles(
  { find }: Pick<InferenceContext, "find">,
  { model, adapter, caller }: ModelRequest,
): Promise<ModelFilesAt> {
  const openOf = async (name: string, param: string) => {
    const files = await find(name, caller, param);
    const saved = await detectArtifact(files.files);
    if (!saved) throw httpError(400, "not_a_model", `${param}: ${name} is neither a model nor an adapter`, param);
    return { ...files, saved };
  };
  const idsOf = ({ id }: ModelFiles, adapters: readonly SavedAdapter[]) => adapters.map((_, i) => `${id} ${i}`);
  const first = await openOf(model, "model");
  const over = adapter === undefined ? undefined : await openOf(adapter, "adapter");
  if (over && !over.saved.adapters) throw httpError(400, "not_an_adapter", `adapter: ${adapter} is a model`, "adapter");
  const further = over?.saved.adapters ?? [];
  const furtherIds = over ? idsOf(over, further) : [];
  if (first.saved.model) return { model: first.saved.model, id: first.id, adapters: further, ids: furtherIds };
  const base = first.base ?? first.saved.base;
  if (base === undefined) throw httpError(400, "no_base", `model: ${model} is an adapter that names no model`, "model");
  const below = await openOf(base, "model");
  if (!below.saved.model) {
    throw httpError(400, "no_base", `model: ${model} is an adapter whose base is not a model`, "model");
  }
  return {
    model: below.saved.model,
    id: below.id,
    adapters: [...first.saved.adapters, ...further],
    ids: [...idsOf(first, first.saved.adapters), ...furtherIds],
  };
}

/** Returns the bytes of a model's weights in float32. Throws AttuneError if its files are invalid. */
export async function float32Bytes(model: Store): Promise<number> {
  const gguf = await ggufIn(model);
  if (gguf !== undefined) {
    const { openGguf } = await import("../../core/gguf/file.ts");
    return [...(await openGguf(model, gguf)).tensors.values()].reduce((bytes, { dims }) => bytes + 4 * sizeOf(dims), 0);
  }
  const weights = await openWeights(model);
  return weights.names.reduce((bytes, name) => bytes + 4 * sizeOf(weights.locate(name)?.dims ?? []), 0);
}

/** Most tokens of one text: the cost of attention is quadratic, and some models have no maximum. */
const MAX_TEXT = 8192;

/** Returns the number of tokens in a request's texts. Throws AttuneError if they are too many to compute. */
export function tokensOf(samples: readonly Sample[], { places }: EdgeLimits): number {
  const longest = samples.reduce((most, s) => s.sequences.reduce((m, { length }) => Math.max(m, length), most), 0);
  if (longest > MAX_TEXT) throw tooMuch("infer", "input", "tokens of one text", longest, MAX_TEXT);
  const tokens = samples.reduce((n, s) => n + s.sequences.reduce((m, { length }) => m + length, 0), 0);
  if (tokens > places) throw tooMuch("infer", "input", "tokens of all texts together", tokens, places);
  return tokens;
}

/**
 * Yields the model's output for each sample. Throws 400 if it is not finite, as finite weights may still overflow.
 * Throws AttuneError if all samples together take longer than one request may.
 */
export async function* predicted(
  { set, stack }: OpenedModel,
  samples: readonly Sample[],
  { computeSeconds }: EdgeLimits,
): AsyncGenerator<Named<Json>> {
  const until = performance.now() + 1000 * computeSeconds;
  let at = 0;
  for await (const prediction of set.predictSamples(samples, stack)) {
    if (!allFinite(prediction)) {
      const why =
        `what it computes of text ${at} is not finite: its weights, or an adapter's, are too large or damaged`;
      throw httpError(400, "not_finite", `model: ${why}`, "model");
    }
    at++;
    if (performance.now() > until) throw tooLong(computeSeconds);
    yield prediction;
  }
}

const allFinite = (value: Json | undefined): boolean =>
  typeof value === "number"
    ? Number.isFinite(value)
    : typeof value !== "object" || value === null || Object.values(value).every(allFinite);

/** Throws AttuneError if a response would contain too many numbers. */
export function checkValues(texts: number, each: number, { values }: EdgeLimits): void {
  if (texts * each <= values) return;
  throw tooMuch("infer", "input", "numbers of one answer", texts * each, values);
}
