/**
 * The limits of `attune serve`: one table, of which its options, their help and docs/run_a_server.md are made. It imports
 * nothing, so that the command line starts at once.
 * @module
 */
/** One limit: its option, what it counts, its default on a machine of one's own, and what it is for. */
export type Limit = Readonly<{ option: string; counts: "bytes" | "seconds" | "number"; default: number; help: string }>;

const MiB = 2 ** 20;

/** Every limit by name. `modelMemory` is half of the machine's memory where 0. */
export const serveLimits = {
  bodyBytes: { option: "--body-bytes", counts: "bytes", default: 4 * MiB, help: "a body of JSON" },
  linesBytes: { option: "--lines-bytes", counts: "bytes", default: 1024 * MiB, help: "a body of JSON lines" },
  uploadBytes: { option: "--upload-bytes", counts: "bytes", default: 256 * MiB, help: "an uploaded file" },
  headersSeconds: { option: "--headers-seconds", counts: "seconds", default: 30, help: "headers may take" },
  bodySeconds: { option: "--body-seconds", counts: "seconds", default: 60, help: "a body may take" },
  uploadSeconds: { option: "--upload-seconds", counts: "seconds", default: 600, help: "an upload may take" },
  inputs: { option: "--inputs", counts: "number", default: 2048, help: "texts of one request" },
  places: {
    option: "--places",
    counts: "number",
    default: 2 ** 19,
    help: "places of one answer's encodings together, and tokens that one request may have computed",
  },
  values: { option: "--values", counts: "number", default: 2 ** 21, help: "numbers of one answer: vectors, scores" },
  steps: {
    option: "--steps",
    counts: "number",
    default: 2 ** 31,
    help: "elementary steps of one request's metrics, or merge of a module",
  },
  resultBytes: { option: "--result-bytes", counts: "bytes", default: 256 * MiB, help: "a merged adapter" },
  mergeMemory: { option: "--merge-memory", counts: "bytes", default: 256 * MiB, help: "memory to merge one module" },
  tokenizerMemory: {
    option: "--tokenizer-memory",
    counts: "bytes",
    default: 512 * MiB,
    help: "memory of cached tokenizers",
  },
  modelMemory: {
    option: "--model-memory",
    counts: "bytes",
    default: 0,
    help: "memory of cached models (0: half of the machine's)",
  },
  adapterMemory: {
    option: "--adapter-memory",
    counts: "bytes",
    default: 256 * MiB,
    help: "memory of one model's cached adapters",
  },
  sessions: {
    option: "--sessions",
    counts: "number",
    default: 4,
    help: "sessions of one model, one for each kind of adapter",
  },
  batchTokens: { option: "--batch-tokens", counts: "number", default: 1024, help: "tokens that are computed at once" },
  workThreads: { option: "--work-threads", counts: "number", default: 2, help: "threads that compute heavy requests" },
  workSeconds: { option: "--work-seconds", counts: "seconds", default: 20, help: "one heavy request may be computed" },
  planSeconds: { option: "--plan-seconds", counts: "seconds", default: 600, help: "a large job may be planned" },
  workMemory: {
    option: "--work-memory",
    counts: "bytes",
    default: 320 * MiB,
    help: "memory of one such thread's objects (Node)",
  },
  waiting: { option: "--waiting", counts: "number", default: 256, help: "heavy requests that may wait" },
  waitingBytes: {
    option: "--waiting-bytes",
    counts: "bytes",
    default: 96 * MiB,
    help: "their bodies and answers together",
  },
} as const satisfies Readonly<Record<string, Limit>>;

/** How often a key may ask, by the class of what it asks for. */
export const serveRates = {
  light: {
    perSecond: 10_000,
    burst: 20_000,
    help: "requests a second of one key, and of them at once: tokenize, lists",
  },
  heavy: { perSecond: 5000, burst: 10_000, help: "the same: models, metrics, merges" },
  submit: { perSecond: 10, burst: 200, help: "the same: uploads, jobs" },
  runner: { perSecond: 1000, burst: 2000, help: "the same: of runners" },
  failed: { perSecond: 10, burst: 200, help: "requests without a key that is known, of all together" },
} as const;

/** A value for each limit. */
export type ServeLimits = Readonly<Record<keyof typeof serveLimits, number>>;

/** The limits, with defaults where none are set. */
export function limitsOf(given: Partial<ServeLimits>): ServeLimits {
  return Object.fromEntries(
    Object.entries(serveLimits).map(([name, limit]) => [name, given[name as keyof ServeLimits] ?? limit.default]),
  ) as ServeLimits;
}

/** The rates as people write them. */
export function shownRates(): string {
  return Object.entries(serveRates).map(([name, { perSecond, burst }]) => `${name}=${perSecond}/${burst}`).join(", ");
}

/** A limit as people write it. */
export function shownLimit({ counts, default: value }: Limit): string {
  if (counts === "seconds") return `${value} s`;
  if (counts !== "bytes" || value === 0) return value.toLocaleString("en-US");
  return value % 2 ** 30 === 0 ? `${value / 2 ** 30}GiB` : `${Math.round(value / MiB)}MiB`;
}
