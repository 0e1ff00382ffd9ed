/**
 * What routes share: models and tokenizers of a tenant, caches, limits, counters.
 * @module
 */
import type { Catalog, Host, Store, Tokenizer } from "../../core/types.ts";
import { failed } from "./answers.ts";
import { boundedCache } from "./cache.ts";
import type { Authenticate, Key, Limiter, Rates } from "./guard.ts";
import { type Inference, inferenceOf } from "./inference.ts";
import { fineTunedModel } from "./job_shapes.ts";
import type { JobsApp } from "./jobs_app.ts";
import { type Meter, meter } from "./meter.ts";
import type { Workers } from "./offload.ts";
import type { Caller, Route } from "./route.ts";
import { type SoundWeights, soundWeights } from "./sound_weights.ts";

/** A model's or adapter's files. `id` is no one else's: caches know it by that. `base`: the name of an adapter's model. */
export type ModelFiles = Readonly<{ id: string; files: Store; base?: string }>;

/** The models and adapters that a tenant may use; `open` may know more than are listed. Names are checked by it. */
export type EdgeModels = Readonly<{
  names(tenant: string): Promise<readonly string[]>;
  /** Whether `open` would fetch what has this name from elsewhere, as from a hub. */
  isRemote?(name: string): boolean;
  open(name: string, tenant: string): Promise<ModelFiles | undefined>;
}>;

/** How much of everything. */
export type EdgeLimits = Readonly<{
  /** A body of JSON. */
  bodyBytes: number;
  /** A streamed body of JSON lines. */
  linesBytes: number;
  /** For how long a body may come. */
  bodySeconds: number;
  /** Texts of one request. */
  inputs: number;
  /** Memory that cached tokenizers may take. */
  tokenizerBytes: number;
  /** Memory that cached models may take. */
  modelBytes: number;
  /** Memory that the cached adapters of one model may take. */
  adapterBytes: number;
  /** Sessions that one model may have open: one for each kind of adapter, each with the model's weights. */
  sessions: number;
  /** Tokens that are computed at once. */
  batchTokens: number;
  /** Places of all encodings of one answer together, and tokens that one request may have a model compute. */
  places: number;
  /** Numbers of one answer: of vectors, of scores. */
  values: number;
  /** Bytes of a merged adapter, and memory that one of its modules may take while it is merged. */
  resultBytes: number;
  mergeBytes: number;
  /** Elementary steps that one request's metrics may take, about. */
  steps: number;
  rates: Rates;
}>;

/** The limits where nothing is said. */
export const defaultLimits: EdgeLimits = {
  bodyBytes: 4 * 2 ** 20,
  linesBytes: 2 ** 30,
  bodySeconds: 60,
  inputs: 2048,
  tokenizerBytes: 64 * 2 ** 20,
  modelBytes: 96 * 2 ** 20,
  adapterBytes: 16 * 2 ** 20,
  sessions: 1,
  batchTokens: 1024,
  places: 2 ** 18,
  values: 2 ** 20,
  resultBytes: 256 * 2 ** 20,
  mergeBytes: 64 * 2 ** 20,
  steps: 2 ** 28,
  rates: {
    light: { perSecond: 10_000, burst: 20_000 },
    heavy: { perSecond: 5000, burst: 10_000 },
    submit: { perSecond: 10, burst: 200 },
    runner: { perSecond: 1000, burst: 2000 },
    failed: { perSecond: 10, burst: 200 },
  },
};

/** What the app is made of. */
export type EdgeOptions = Readonly<{
  catalog: Catalog;
  keys: readonly Key[];
  models: EdgeModels;
  /** What computes, for the routes that run a model; absent: they answer 503. */
  host?: Host;
  /** The routes of files, fine-tuning jobs and runners. */
  jobs?: JobsApp;
  limits?: Partial<EdgeLimits>;
  /** Threads that answer what is heavy; absent: everything is answered here, and its bounds are those of `limits` alone. */
  workers?: Workers;
  /** Tells who asks, in place of `keys`. */
  authenticate?: Authenticate;
  /** Further routes. */
  routes?: readonly Route[];
  /** Rates over several processes; absent: token buckets in this one. */
  limiter?: Limiter;
  /** The JSON Schema of run specs as text, for editors: the package's spec.schema.json. Absent: there is no such route. */
  specSchema?: string;
  /** Origins of pages that may ask from a browser, or "*"; absent: none but the server's own. */
  cors?: readonly string[];
  /** Hosts that URLs in requests may name; absent: none. */
  allowUrls?: readonly string[];
  /** What fetches them, absent: the runtime's own. Redirects must not be followed. */
  fetch?: typeof fetch;
  /** Is told of errors that callers are told nothing of. */
  onError?: (error: Error) => void;
  /** A clock that only goes forward, in milliseconds. */
  now?: () => number;
  /** Seconds since 1970. */
  time?: () => number;
}>;

/** What routes are given. */
export type EdgeService = Readonly<{
  options: EdgeOptions;
  limits: EdgeLimits;
  meter: Meter;
  /** The files that a model's or adapter's name stands for. Throws 404 where the caller may use none of that name. */
  find(name: string, caller: Caller, param?: string): Promise<ModelFiles>;
  /** Every name that `find` knows and a caller may see. */
  names(caller: Caller): Promise<readonly Readonly<{ id: string; created: number }>[]>;
  /** Does something with a model's tokenizer. */
  withTokenizer<R>(name: string, caller: Caller, act: (tokenizer: Tokenizer) => R | Promise<R>): Promise<R>;
  /** Looks at weights before they are computed with. */
  weights: SoundWeights;
  /** Models in memory. */
  inference: Inference;
}>;

/** A vocabulary in memory takes about as many times the bytes of its file (measured on several: 4 to 5). */
const VOCABULARY = 5;

/** The service. */
export function edgeService(options: EdgeOptions): EdgeService {
  const limits: EdgeLimits = { ...defaultLimits, ...options.limits };
  const tokenizers = boundedCache<Tokenizer>(limits.tokenizerBytes);
  const find = async (name: string, caller: Caller, param = "model"): Promise<ModelFiles> => {
    const found = await options.models.open(name, caller.tenant) ?? await options.jobs?.made(name, caller.tenant);
    if (found) return found;
    throw failed(404, "model_not_found", `${param}: there is no ${JSON.stringify(name.slice(0, 200))} here`, param);
  };
  const own = meter();
  const weights = soundWeights();
  own.gauge(
    "attune_tokenizer_cache_bytes",
    "Memory that cached tokenizers are taken to need",
    () => tokenizers.held().bytes,
  );
  own.gauge("attune_tokenizer_cache_entries", "Cached tokenizers", () => tokenizers.held().entries);
  return {
    options,
    limits,
    meter: own,
    find,
    weights,
    inference: inferenceOf({ options, limits, meter: own, find, weights }),
    names: async ({ tenant }) => {
      const made: { id: string; created: number }[] = [];
      if (options.jobs) {
        for await (const record of options.jobs.jobs.list()) {
          if (record.status !== "succeeded" || record.result?.deleted || record.tenant !== tenant) continue;
          made.push({ id: fineTunedModel(record), created: Math.floor(record.finishedAt ?? 0) });
        }
      }
      return [...(await options.models.names(tenant)).map((id) => ({ id, created: 0 })), ...made];
    },
    withTokenizer: async (name, caller, act) => {
      const { id, files } = await find(name, caller, "tokenizer");
      const open = options.catalog.tokenizer?.hf?.parse({});
      if (!open || open.issues) throw failed(503, "not_configured", "No tokenizers are configured here");
      return await tokenizers.use(id, async () => {
        const size = (await files.get("tokenizer.json", { offset: 0, length: 0 }))?.size;
        if (size === undefined) throw failed(400, "no_tokenizer", `tokenizer: ${name} has none`, "tokenizer");
        const bytes = VOCABULARY * size;
        if (bytes > limits.tokenizerBytes) {
          const most = `${bytes} bytes, more than the ${limits.tokenizerBytes} that tokenizers may have`;
          throw failed(400, "tokenizer_too_large", `tokenizer: ${name} would take about ${most}`, "tokenizer");
        }
        return { bytes, open: () => open.value.open(files) };
      }, act);
    },
  };
}
