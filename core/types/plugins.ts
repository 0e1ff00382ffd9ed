/**
 * Plugins: their kinds, how they are made and named, and the run spec that composes them.
 * @module
 */
import type { Named } from "./base.ts";
import type { Callback, Logger, Metric } from "./events.ts";
import type { Exporter, Queue, StoreOpener, Trainer } from "./host.ts";
import type { Adapter, Architecture, Head, Loss, ModelSource, Task } from "./model.ts";
import type { Collator, Dataset, TokenizerLoader, Transform } from "./rows.ts";
import type { Pruner, Search } from "./search.ts";
import type { Accelerator, Optimizer, Regularizer, Schedule } from "./training.ts";

/** Every kind of plugin: the `kind` it carries and the catalog's first key. */
export interface Kinds {
  model: ModelSource;
  architecture: Architecture;
  tokenizer: TokenizerLoader;
  data: Dataset;
  transform: Transform;
  collator: Collator;
  head: Head;
  loss: Loss;
  task: Task;
  adapter: Adapter;
  optimizer: Optimizer;
  schedule: Schedule;
  regularizer: Regularizer;
  accelerator: Accelerator;
  metric: Metric;
  callback: Callback;
  logger: Logger;
  store: StoreOpener;
  exporter: Exporter;
  search: Search;
  pruner: Pruner;
  queue: Queue;
  trainer: Trainer;
}

/** The name of a kind. */
export type Kind = keyof Kinds;

/** The fields of every plugin: enough to write it into a run spec and to find it again. */
export interface Plugin<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  readonly options: object;
  /** What its options stand for, as its schema declares it. */
  readonly roles?: Named<Role>;
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

/**
 * What an option stands for, wherever a spec is carried.
 * - path: relative to the spec's file; with `hub` it may be a name of the hub or of what comes with Attune. A runner fetches
 *   what it refers to, a job may name nothing else.
 * - file-name: a name within the run's output or the model's folder, never resolved.
 * - cache: a folder that is written outside of the run's output; none in a job.
 * - address: something on the network; none in a job.
 * - secret: a text or `{ env: "NAME" }`; a text is never written into a run's files, neither is there in a job.
 * - plugin: a plugin of a kind, or a list of them.
 */
export type Role =
  | Readonly<{ role: "path"; hub?: boolean }>
  | Readonly<{ role: "file-name" | "cache" | "address" | "secret" | "column" | "labels" | "pattern" }>
  | Readonly<{ role: "plugin"; kind: Kind }>;

/** A text, or the environment's variable that has it. */
export type Secret = string | Readonly<{ env: string }>;

/** An entry of a catalog. `roles`: what its options stand for, by their path, as `{ "tasks.*.task": { role: "plugin", kind: "task" } }`. */
export interface Entry<K extends Kind = Kind> {
  readonly kind: K;
  readonly use: string;
  readonly schema: Schema;
  readonly roles: Named<Role>;
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

/** A dataset, or a reference to one with the transforms that its rows go through, in order. */
export type DatasetUse = Use<"data"> | Readonly<{ use: string; with?: object; transforms?: Several<"transform"> }>;

/** The data of a run, or of one of its tasks. */
export type RunData = Readonly<{
  train?: DatasetUse;
  eval?: DatasetUse;
  test?: DatasetUse;
  /** The share of the rows of `eval` or `test` that may stand in `train` as well; above it a run is refused. Default: 0.01. */
  leakThreshold?: number;
}>;

/** A run as JSON or as objects. See `core/spec.ts` for `training` and its defaults. */
export type RunSpec = Readonly<{
  /** Where a JSON Schema of specs is, for editors. */
  $schema?: string;
  /** In a spec that a run has written: with what it was written. */
  versions?: Named<string>;
  /** In a spec that a run has written: of what. A run over other content is refused. */
  fingerprints?: Named<string>;
  /** The version of the format: 1. */
  version: 1;
  /** The name of the run, in its folder and its cards. Default: "run". */
  name?: string;
  /** Packages whose default export is a plugin or a list of them: names, from the spec's folder, or paths. */
  plugins?: readonly string[];
  /** Where the model comes from: `{ use: "pretrained", with: { path } }`, a directory, a name of the hub, or "attune:base". */
  model: Use<"model">;
  /** How its tokenizer is read. Default: "hf", from the model's own files. */
  tokenizer?: Use<"tokenizer">;
  /** The task to learn, as `{ use: "sequence-classification", with: { labels } }`. It chooses every part that the spec leaves out. */
  task: Use<"task">;
  /** Absent where the task has its own. */
  data?: RunData;
  /** How rows become inputs. Default: the task's. */
  collator?: Use<"collator">;
  /** The head on top of the model. Default: the task's. */
  head?: Use<"head">;
  /** The loss to minimize. Default: the task's. */
  loss?: Use<"loss">;
  /** Which few parameters train, as "lora"; several are stacked. Default: none, the whole model trains. */
  adapter?: Use<"adapter"> | Several<"adapter">;
  /** How parameters are updated. Default: "adamw". */
  optimizer?: Use<"optimizer">;
  /** How the learning rate goes on from step to step. Default: "linear", to 0. */
  schedule?: Use<"schedule">;
  /** Terms and noise in training alone. Default: none. */
  regularizers?: Several<"regularizer">;
  /** How frozen weights are stored and products computed, as "nf4" or "fp16". Default: none, as the checkpoint has them. */
  accelerators?: Several<"accelerator">;
  /** The metrics of evaluations. Default: the task's. */
  metrics?: Several<"metric">;
  /** Callbacks, which watch the run and may stop it, save, or keep the best checkpoint. Default: none. */
  callbacks?: Several<"callback">;
  /** Where events are written. Default: none; the command line writes log.jsonl and report.html. */
  loggers?: Several<"logger">;
  /** Further formats that the result is written in. Default: none; adapter/ or model/ are always written. */
  exporters?: Several<"exporter">;
  /** The options that `attune search` tries values of, and how; a plain run passes over it. */
  search?: Use<"search">;
  /** Hugging Face's TrainingArguments in camelCase. */
  training?: Partial<TrainingArguments>;
}>;

/** Hugging Face's TrainingArguments in camelCase, as far as they belong to the loop. Steps below 1 are ratios of all steps. */
export type TrainingArguments = Readonly<{
  /** The initial learning rate. Default: 5e-5. */
  learningRate: number;
  /** How often all rows are seen; may be a fraction. Default: 3. */
  numTrainEpochs: number;
  /** Optimizer steps in place of epochs; -1: as many as the epochs have. Default: -1. */
  maxSteps: number;
  /** Rows of a micro-batch in training. Default: 8. */
  perDeviceTrainBatchSize: number;
  /** Rows of a batch in evaluation. Default: 8. */
  perDeviceEvalBatchSize: number;
  /** Micro-batches of one optimizer step. Default: 1. */
  gradientAccumulationSteps: number;
  /** The global norm that gradients are clipped to; 0: they are not. Default: 1. */
  maxGradNorm: number;
  /** Tokens of the longest input; longer ones are cut. null: what the model has room for. Default: null. */
  maxLength: number | null;
  /** Whether inputs are padded to the longest of their batch, or all to `maxLength`. Default: "longest". */
  padding: "longest" | "max_length";
  /** Lengths are padded to a multiple of so many tokens. null: they are not. Default: null. */
  padToMultipleOf: number | null;
  /** How much of a label goes to all classes alike, from 0 to below 1. Default: 0. */
  labelSmoothingFactor: number;
  /** The seed of everything random. Default: 42. */
  seed: number;
  /** The seed of the order of rows; null: `seed`. Default: null. */
  dataSeed: number | null;
  /** The order of rows: shuffled in each epoch, as they are, or shuffled with like lengths together. Default: "random". */
  trainSamplingStrategy: "random" | "sequential" | "group_by_length";
  /** Whether an epoch's last, smaller batch is left out. Default: false. */
  dataloaderDropLast: boolean;
  /** Whether short rows share a row of the tensor instead of padding; no number changes beyond rounding. Default: true. */
  rowSharing: boolean;
  /** Whether activations are computed again in the backward pass: less memory, more time. Default: false. */
  gradientCheckpointing: boolean;
  /** Puts the accelerator "fp16" last: float16 products, and losses scaled. Default: false. */
  fp16: boolean;
  /** Puts the accelerator "bf16" last: bfloat16 products. Default: false. */
  bf16: boolean;
  /** The memory that the run may take, in bytes or as "2GB": cheap values are recomputed to stay within it. */
  memory: number | string;
  /** When steps are told: every `loggingSteps`, at the end of each epoch, or not. log.jsonl has every step. Default: "steps". */
  loggingStrategy: "no" | "steps" | "epoch";
  /** Steps between two lines; below 1 a ratio of all steps. Default: 500. */
  loggingSteps: number;
  /** Whether the first step is told, too. Default: false. */
  loggingFirstStep: boolean;
  /** When the model is measured while it trains: every `evalSteps`, after each epoch, or not. At the end it always is. Default: "no". */
  evalStrategy: "no" | "steps" | "epoch";
  /** Steps between two evaluations; below 1 a ratio of all steps; null: `loggingSteps`. Default: null. */
  evalSteps: number | null;
  /** Epochs before the first evaluation. Default: 0. */
  evalDelay: number;
  /** Whether the model is measured before the first step. Default: false. */
  evalOnStart: boolean;
  /** When a checkpoint is written: every `saveSteps`, after each epoch, where an evaluation is the best so far, or not. Default: "steps". */
  saveStrategy: "no" | "steps" | "epoch" | "best";
  /** Steps between two checkpoints; below 1 a ratio of all steps. Default: 500. */
  saveSteps: number;
  /** Checkpoints that are kept; null: all. Default: null. */
  saveTotalLimit: number | null;
  /** Whether the weights of the best evaluation are put back at the end. Default: false. */
  loadBestModelAtEnd: boolean;
  /** The metric that tells the best evaluation; null: the loss. Default: null. */
  metricForBestModel: string | null;
  /** Whether more of that metric is better; null: as the metric says. Default: null. */
  greaterIsBetter: boolean | null;
}>;

/** A composed run: every part is a plugin, every default filled in. `use` gives back what a part became. */
export interface Run {
  readonly spec: RunSpec;
  readonly name: string;
  readonly catalog: Catalog;
  readonly training: TrainingArguments;
  readonly model: ModelSource;
  readonly tokenizer: TokenizerLoader;
  readonly task: Task;
  readonly data: Readonly<{ train?: Dataset; eval?: Dataset; test?: Dataset }>;
  readonly adapters: readonly Adapter[];
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly regularizers: readonly Regularizer[];
  readonly accelerators: readonly Accelerator[];
  readonly metrics: readonly Metric[];
  readonly callbacks: readonly Callback[];
  readonly loggers: readonly Logger[];
  readonly exporters: readonly Exporter[];
  /** Absent where the spec searches nothing. */
  readonly search?: Search | undefined;
  /** The architecture that reads models of a type, as their config.json has it. */
  architectureFor(modelType: unknown): Promise<Architecture>;
  use<K extends Kind>(kind: K, part: Use<K>): Kinds[K];
}
