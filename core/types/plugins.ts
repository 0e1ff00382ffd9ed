/**
 * Plugins: their kinds, how they are made and named, and the run spec that composes them.
 * @module
 */
import type { Callback, Logger, Metric } from "./events.ts";
import type { Exporter, Queue, Search, StoreSource, Trainer } from "./host.ts";
import type { Adapter, Head, Loss, Model, Objective, Source } from "./model.ts";
import type { Collator, Dataset, TokenizerSource } from "./rows.ts";
import type { Accelerator, Optimizer, Regularizer, Schedule } from "./training.ts";

/** Anything JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A read-only map from name to `T`. */
export type Named<T> = { readonly [name: string]: T };

/** Every kind of plugin: the `kind` it carries and the catalog's first key. */
export interface Kinds {
  source: Source;
  model: Model;
  tokenizer: TokenizerSource;
  dataset: Dataset;
  collator: Collator;
  head: Head;
  loss: Loss;
  objective: Objective;
  adapter: Adapter;
  optimizer: Optimizer;
  schedule: Schedule;
  regularizer: Regularizer;
  accelerator: Accelerator;
  metric: Metric;
  callback: Callback;
  logger: Logger;
  store: StoreSource;
  exporter: Exporter;
  search: Search;
  queue: Queue;
  trainer: Trainer;
}

/** The name of a kind. */
export type Kind = keyof Kinds;

/** What every plugin carries: enough to write it into a run spec and to find it again. */
export interface Plugin<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  readonly options: object;
}

/** A Standard Schema, as valibot's schemas are. */
export interface Schema<In = unknown, Out = unknown> {
  readonly "~standard": Readonly<{
    types?: Readonly<{ input: In; output: Out }> | undefined;
    validate: (value: unknown) => Result<Out> | Promise<unknown>;
  }>;
}

/** A value, or what is wrong with the input. */
export type Result<T> = Readonly<{ value: T; issues?: undefined }> | Readonly<{ issues: readonly Issue[] }>;

/** One thing that is wrong, and where. */
export type Issue = Readonly<{
  message: string;
  path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}>;

/** What a catalog holds. `parts`: the options that are plugins, as `{ "tasks.*.task": "objective" }`. */
export interface Entry<K extends Kind = Kind> {
  readonly kind: K;
  readonly use: string;
  readonly schema: Schema;
  readonly parts: Named<Kind>;
  parse(options: unknown): Result<Kinds[K]>;
}

/** `lora({ r: 8 })` is the plugin, `lora` itself the catalog's entry. */
export interface Factory<K extends Kind, In> extends Entry<K> {
  (...args: Partial<In> extends In ? [options?: In] : [options: In]): Kinds[K];
}

/** Plain maps from kind and name to entry, handed in by the host. */
export type Catalog = { readonly [K in Kind]?: Named<Entry<K>> };

/** A plugin, or a reference to one. */
export type Use<K extends Kind> = Kinds[K] | Readonly<{ use: string; with?: object }> | string;

/** Several plugins or references. */
export type Several<K extends Kind> = readonly Use<K>[];

/** A run as JSON or as objects. See `core/spec.ts` for `training` and its defaults. */
export type RunSpec = Readonly<{
  /** Where a JSON Schema of specs is, for editors. */
  $schema?: string;
  /** In a spec that a run has written: with what it was written. */
  versions?: Named<string>;
  /** In a spec that a run has written: of what. A run over other content is refused. */
  fingerprints?: Named<string>;
  version: 1;
  name?: string;
  /** Packages whose default export is a plugin or a list of them: names, from the spec's folder, or paths. */
  plugins?: readonly string[];
  model: Use<"source">;
  tokenizer?: Use<"tokenizer">;
  task: Use<"objective">;
  /** Absent where the task has its own. */
  data?: Readonly<{ train?: Use<"dataset">; eval?: Use<"dataset"> }>;
  collator?: Use<"collator">;
  head?: Use<"head">;
  loss?: Use<"loss">;
  adapter?: Use<"adapter"> | Several<"adapter">;
  optimizer?: Use<"optimizer">;
  schedule?: Use<"schedule">;
  regularizers?: Several<"regularizer">;
  metrics?: Several<"metric">;
  callbacks?: Several<"callback">;
  loggers?: Several<"logger">;
  exporters?: Several<"exporter">;
  training?: Partial<TrainingArguments>;
}>;

/** Hugging Face's TrainingArguments in camelCase, as far as they belong to the loop. Steps below 1 are ratios of all steps. */
export type TrainingArguments = Readonly<{
  learningRate: number;
  numTrainEpochs: number;
  maxSteps: number;
  perDeviceTrainBatchSize: number;
  perDeviceEvalBatchSize: number;
  gradientAccumulationSteps: number;
  maxGradNorm: number;
  maxLength: number | null;
  padding: "longest" | "max_length";
  padToMultipleOf: number | null;
  labelSmoothingFactor: number;
  seed: number;
  dataSeed: number | null;
  trainSamplingStrategy: "random" | "sequential" | "group_by_length";
  dataloaderDropLast: boolean;
  rowSharing: boolean;
  gradientCheckpointing: boolean;
  /** What the run may take, in bytes or as "2GB": cheap values are computed again to stay within it. */
  memory: number | string;
  loggingStrategy: "no" | "steps" | "epoch";
  loggingSteps: number;
  loggingFirstStep: boolean;
  evalStrategy: "no" | "steps" | "epoch";
  evalSteps: number | null;
  evalDelay: number;
  evalOnStart: boolean;
  saveStrategy: "no" | "steps" | "epoch" | "best";
  saveSteps: number;
  saveTotalLimit: number | null;
  loadBestModelAtEnd: boolean;
  metricForBestModel: string | null;
  greaterIsBetter: boolean | null;
}>;

/** A composed run: every part is a plugin, every default filled in. `use` gives back what a part became. */
export interface Run {
  readonly spec: RunSpec;
  readonly name: string;
  readonly catalog: Catalog;
  readonly training: TrainingArguments;
  readonly source: Source;
  readonly tokenizer: TokenizerSource;
  readonly objective: Objective;
  readonly data: Readonly<{ train?: Dataset; eval?: Dataset }>;
  readonly adapters: readonly Adapter[];
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly regularizers: readonly Regularizer[];
  readonly metrics: readonly Metric[];
  readonly callbacks: readonly Callback[];
  readonly loggers: readonly Logger[];
  readonly exporters: readonly Exporter[];
  use<K extends Kind>(kind: K, part: Use<K>): Kinds[K];
}
