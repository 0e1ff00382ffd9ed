/** The service behind the routes: a tenant's models and tokenizers, caches, limits, counters. */
import type { Store, Tokenizer } from "../../core/types.ts";
import { vocabularyFiles } from "../../formats/hf/carried_files.ts";
import { httpError } from "../http/responses.ts";
import { boundedCache } from "./cache.ts";
import type { ModelFiles } from "../http/model_registry.ts";
import { defaultLimits, type EdgeLimits, type EdgeOptions } from "./options.ts";
import { type FindModel, type Inference, inferenceOf } from "./inference.ts";
import { fineTunedModel } from "../http/shapes.ts";
import { type Meter, meter } from "../http/meter.ts";
import type { Caller } from "../http/route.ts";
import { type CheckedWeights, checkedWeights } from "./checked_weights.ts";

/** The service that the routes use. */
export type EdgeService = Readonly<{
  options: EdgeOptions;
  limits: EdgeLimits;
  meter: Meter;
  find: FindModel;
  /** Returns every name that `find` knows and the caller may see. */
  names(caller: Caller): Promise<readonly Readonly<{ id: string; created: number }>[]>;
  /** Calls `act` with a model's tokenizer. */
  withTokenizer<R>(name: string, caller: Caller, act: (tokenizer: Tokenizer) => R | Promise<R>): Promise<R>;
  /** Checks weights before they are used. */
  weights: CheckedWeights;
  /** Models in memory. */
  inference: Inference;
}>;

/** Bytes of a vocabulary in memory per byte of its file (several were measured: 4 to 5). */
const VOCABULARY = 5;

/** Creates the service. */
export function edgeService(options: EdgeOptions): EdgeService {
  const limits: EdgeLimits = { ...defaultLimits, ...options.limits };
  const tokenizers = boundedCache<Tokenizer>(limits.tokenizerBytes);
  const find = async (name: string, caller: Caller, param = "model"): Promise<ModelFiles> => {
    const opened = await options.models.open(name, caller.tenant) ?? await options.jobs?.resultOf(name, caller.tenant);
    if (opened) return opened;
    throw httpError(404, "model_not_found", `${param}: there is no ${JSON.stringify(name.slice(0, 200))} here`, param);
  };
  const counter = meter();
  const weights = checkedWeights();
  counter.gauge(
    "attune_tokenizer_cache_bytes",
    "Memory that cached tokenizers are taken to need",
    () => tokenizers.size().bytes,
  );
  counter.gauge("attune_tokenizer_cache_entries", "Cached tokenizers", () => tokenizers.size().entries);
  return {
    options,
    limits,
    meter: counter,
    find,
    weights,
    inference: inferenceOf({ options, limits, meter: counter, find, weights }),
    names: async ({ tenant }) => {
      const models: { id: string; created: number }[] = [];
      if (options.jobs) {
        for await (const record of options.jobs.jobs.list()) {
          if (record.status !== "succeeded" || record.result?.deleted || record.tenant !== tenant) continue;
          models.push({ id: fineTunedModel(record), created: Math.floor(record.finishedAt ?? 0) });
        }
      }
      return [...(await options.models.names(tenant)).map((id) => ({ id, created: 0 })), ...models];
    },
    withTokenizer: async (name, caller, act) => {
      const { id, files } = await find(name, caller, "tokenizer");
      const open = options.catalog.tokenizer?.hf?.parse({});
      if (!open || open.issues) throw httpError(503, "not_configured", "No tokenizers are configured here");
      return await tokenizers.use(id, async () => {
        const size = await vocabularyBytes(files);
        if (size === 0) throw httpError(400, "no_tokenizer", `tokenizer: ${name} has none`, "tokenizer");
        const bytes = VOCABULARY * size;
        if (bytes > limits.tokenizerBytes) {
          const most = `${bytes} bytes, more than the limit of ${limits.tokenizerBytes}`;
          throw httpError(400, "tokenizer_too_large", `tokenizer: ${name} would take about ${most}`, "tokenizer");
        }
        return { bytes, open: () => open.value.open(files) };
      }, act);
    },
  };
}

/** Returns the bytes of tokenizer.json, or of the vocabulary files in place of it. */
async function vocabularyBytes(files: Store): Promise<number> {
  const sizeOf = async (name: string): Promise<number> => (await files.get(name, { offset: 0, length: 0 }))?.size ?? 0;
  const size = await sizeOf("tokenizer.json");
  return size > 0 ? size : (await Promise.all(vocabularyFiles.map(sizeOf))).reduce((sum, bytes) => sum + bytes);
}
