/**
 * The limits of `attune serve` in one table, from which its options, their help and docs/run_a_server.md are made. It
 * imports nothing, so that the command line starts at once.
 * @module
 */
/** One limit: its option, its unit, its default on a machine of one's own, and its purpose. */
export type Limit = Readonly<{ option: string; counts: "bytes" | "seconds" | "number"; default: number; help: string }>;

const MiB = 2 ** 20;

/** Every limit by name. `modelMemory` 0: half of the machine's memory. */
export const serveLimits = {
  bodyBytes: { option: "--body-bytes", counts: "bytes", default: 4 * MiB, help: "the size of a JSON body" },
  linesBytes: { option: "--lines-bytes", counts: "bytes", default: 1024 * MiB, help: "the size of a JSON Lines body" },
  uploadBytes: { option: "--upload-bytes", counts: "bytes", default: 256 * MiB, help: "the size of an uploaded file" },
  headersSeconds: { option: "--headers-seconds", counts: "seconds", default: 30, help: "the time to receive headers" },
  bodySeconds: { option: "--body-seconds", counts: "seconds", default: 60, help: "the time to receive a body" },
  uploadSeconds: { option: "--upload-seconds", counts: "seconds", default: 600, help: "the time to receive an upload" },
  inputs: { option: "--inputs", counts: "number", default: 2048, help: "texts in one request" },
  places: {
    option: "--places",
    counts: "number",
    default: 2 ** 19,
    help: "token positions in one response or list of ids, and tokens computed for one request",
  },
  values: { option: "--values", counts: "number", default: 2 ** 21, help: "numbers in one response: vectors, scores" },
  steps: {
    option: "--steps",
    counts: "number",
    default: 2 ** 31,
    help: "elementary steps to compute one request's metrics or to merge one module",
  },
  resultBytes: { option: "--result-bytes", counts: "bytes", default: 256 * MiB, help: "the size of a merged adapter" },
  mergeMemory: { option: "--merge-memory", counts: "bytes", default: 256 * MiB, help: "memory to merge one module" },
  tokenizerMemory: {
    option: "--tokenizer-memory",
    counts: "bytes",
    default: 512 * MiB,
    help: "memory for cached tokenizers",
  },
  modelMemory: {
    option: "--model-memory",
    counts: "bytes",
    default: 0,
    help: "memory for cached models (0: half of the machine's)",
  },
  adapterMemory: {
    option: "--adapter-memory",
    counts: "bytes",
    default: 256 * MiB,
    help: "memory for one model's cached adapters",
  },
  sessions: {
    option: "--sessions",
    counts: "number",
    default: 4,
    help: "sessions per model, one for each kind of adapter",
  },
  batchTokens: { option: "--batch-tokens", counts: "number", default: 1024, help: "tokens computed at once" },
  workThreads: { option: "--work-threads", counts: "number", default: 2, help: "threads for heavy requests" },
  workSeconds: {
    option: "--work-seconds",
    counts: "seconds",
    default: 20,
    help: "the time to compute one heavy request",
  },
  planSeconds: { option: "--plan-seconds", counts: "seconds", default: 600, help: "the time to plan a large job" },
  workMemory: {
    option: "--work-memory",
    counts: "bytes",
    default: 320 * MiB,
    help: "the JavaScript heap of one such thread (Node only)",
  },
  waiting: { option: "--waiting", counts: "number", default: 256, help: "heavy requests in the queue" },
  waitingBytes: {
    option: "--waiting-bytes",
    counts: "bytes",
    default: 96 * MiB,
    help: "the size of their bodies and responses together",
  },
} as const satisfies Readonly<Record<string, Limit>>;

/** How often an API key may make requests, by the class of request. */
export const serveRates = {
  light: {
    perSecond: 10_000,
    burst: 20_000,
    help: "requests per second and burst, per key: tokenize, lists",
  },
  heavy: { perSecond: 5000, burst: 10_000, help: "the same: models, metrics, merges" },
  submit: { perSecond: 10, burst: 200, help: "the same: uploads, jobs" },
  runner: { perSecond: 1000, burst: 2000, help: "the same: runners" },
  failed: { perSecond: 10, burst: 200, help: "the same for requests without a valid key, all together" },
} as const;

/** A value for each limit. */
export type ServeLimits = Readonly<Record<keyof typeof serveLimits, number>>;

/** Returns the limits, with defaults for those that are not set. */
export function limitsOf(settings: Partial<ServeLimits>): ServeLimits {
  return Object.fromEntries(
    Object.entries(serveLimits).map(([name, limit]) => [name, settings[name as keyof ServeLimits] ?? limit.default]),
  ) as ServeLimits;
}

/** Formats the default rates as the option takes them. */
export function shownRates(): string {
  return Object.entries(serveRates).map(([name, { perSecond, burst }]) => `${name}=${perSecond}/${burst}`).join(", ");
}

/** Formats a limit's default for people to read. */
export function shownLimit({ counts, default: value }: Limit): string {
  if (counts === "seconds") return `${value} s`;
  if (counts !== "bytes" || value === 0) return value.toLocaleString("en-US");
  return value % 2 ** 30 === 0 ? `${value / 2 ** 30}GiB` : `${Math.round(value / MiB)}MiB`;
}
