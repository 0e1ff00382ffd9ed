/** Options and limits of an app. */
import type { Catalog, Host } from "../../core/types.ts";
import type { ModelRegistry } from "../http/model_registry.ts";
import type { Authenticate, Key, Limiter, Rates } from "../http/auth.ts";
import type { JobsApp } from "../jobs/jobs_app.ts";
import type { Workers } from "../http/offload.ts";
import type { Route } from "../http/route.ts";

/** Limits of an app. */
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
  /** For how long a model may compute for one request. */
  computeSeconds: number;
  /** Numbers of one answer: of vectors, of scores. */
  values: number;
  /** Bytes of a merged adapter, and memory that one of its modules may take while it is merged. */
  resultBytes: number;
  mergeBytes: number;
  /** Elementary steps that one request's metrics may take, about. */
  steps: number;
  rates: Rates;
}>;

/** The default limits. */
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
  computeSeconds: 20,
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

/** Options of the app. */
export type EdgeOptions = Readonly<{
  catalog: Catalog;
  keys: readonly Key[];
  models: ModelRegistry;
  /** The host that computes, for the routes that run a model; absent: they answer 503. */
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
  /** The function that fetches them; absent: the runtime's fetch. It must not follow redirects. */
  fetch?: typeof fetch;
  /** Is told of errors that callers are told nothing of. */
  onError?: (error: Error) => void;
  /** A clock that only goes forward, in milliseconds. */
  now?: () => number;
  /** Seconds since 1970. */
  time?: () => number;
}>;
