/** Options and limits of an app. */
import type { Catalog, Host } from "../../core/types.ts";
import type { ModelRegistry } from "../http/model_registry.ts";
import type { Authenticate, Key, Limiter, Rates } from "../http/auth.ts";
import type { JobsApp } from "../jobs/jobs_app.ts";
import type { Workers } from "../http/offload.ts";
import type { Route } from "../http/route.ts";

/** Limits of an app. */
export type EdgeLimits = Readonly<{
  /** Bytes of a JSON body. */
  bodyBytes: number;
  /** Bytes of a streamed body of JSON lines. */
  linesBytes: number;
  /** Seconds in which a body must arrive. */
  bodySeconds: number;
  /** Number of texts in one request. */
  inputs: number;
  /** Bytes of memory for cached tokenizers. */
  tokenizerBytes: number;
  /** Bytes of memory for cached models. */
  modelBytes: number;
  /** Bytes of memory for the cached adapters of one model. */
  adapterBytes: number;
  /** Sessions that one model may have open: one for each kind of adapter, each with the model's weights. */
  sessions: number;
  /** Number of tokens that are computed at once. */
  batchTokens: number;
  /** Total places of one response's encodings, and tokens that a model may compute for one request. */
  places: number;
  /** Seconds that a model may compute for one request. */
  computeSeconds: number;
  /** Numbers in one response, such as those of vectors or scores. */
  values: number;
  /** Bytes of a merged adapter, and of memory for one of its modules while it is merged. */
  resultBytes: number;
  mergeBytes: number;
  /** Approximate number of elementary steps for one request's metrics. */
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
  /** The host for routes that run a model; absent: they answer 503. */
  host?: Host;
  /** The routes of files, fine-tuning jobs and runners. */
  jobs?: JobsApp;
  limits?: Partial<EdgeLimits>;
  /** Threads for heavy requests; absent: this thread answers them all, bounded only by `limits`. */
  workers?: Workers;
  /** Identifies callers, in place of `keys`. */
  authenticate?: Authenticate;
  /** Additional routes. */
  routes?: readonly Route[];
  /** A rate limiter for several processes; absent: token buckets in this one. */
  limiter?: Limiter;
  /** The JSON Schema of run specs as text, for editors: the package's spec.schema.json. Absent: no such route. */
  specSchema?: string;
  /** Origins of pages that may send requests from a browser, or "*"; absent: only the server's own. */
  cors?: readonly string[];
  /** Hosts that URLs in requests may name; absent: none. */
  allowUrls?: readonly string[];
  /** Fetches these URLs; absent: the runtime's fetch. It must not follow redirects. */
  fetch?: typeof fetch;
  /** Receives errors whose details callers do not see. */
  onError?: (error: Error) => void;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
  /** The time in seconds since 1970. */
  time?: () => number;
}>;
