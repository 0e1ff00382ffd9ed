/**
 * All kinds of plugins, their factories and catalogs, the run spec that composes them, and the kinds for whole runs.
 */
import type { Json, Named } from "../base/types.ts";
import type { Callback, Example, Metric, TrainingEvent } from "./events.ts";
import type { Exporter } from "./exporter.ts";
import type { Host, Plan, Queue, Store, StoreOpener, TrainOptions } from "./host.ts";
import type { Task } from "./task.ts";
import type { Loss } from "./loss.ts";
import type { Head } from "./head.ts";
import type { Adapter } from "./adapter.ts";
import type { Architecture } from "./architecture.ts";
import type { ModelSource } from "./checkpoint.ts";
import type { Kind, Plugin, PluginUse, Result, Role, Schema } from "./plugin.ts";
import type { Collator, Dataset, RunData, TokenizerLoader, Transform } from "./rows.ts";
import type { Pruner, Search } from "./search.ts";
import type { Accelerator, Optimizer, Regularizer, Schedule } from "./training.ts";
import type { TrainingArguments } from "./training_arguments.ts";

/** Every kind of plugin: the `kind` it carries and the catalog's first key. */
export interface Kinds extends Record<Kind, Plugin> {
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

/** An entry of a catalog. `roles`: of its options, by path: `{ "tasks.*.task": { role: "plugin", kind: "task" } }`. */
export interface Entry<K extends Kind = Kind> {
  readonly kind: K;
  readonly use: string;
  readonly schema: Schema;
  readonly roles: Named<Role>;
  parse(options: unknown): Result<Kinds[K]>;
}

/** `lora({ r: 8 })` is the plugin, `lora` itself the catalog's entry. `In`: its options; by default it has none. */
export interface Factory<K extends Kind, In = Readonly<Record<never, never>>> extends Entry<K> {
  (...args: Partial<In> extends In ? [options?: In] : [options: In]): Kinds[K];
}

/** A map from kind and name to entry, provided by the host. */
export type Catalog = { readonly [K in Kind]?: Named<Entry<K>> };

/** A plugin of a kind, or a reference to one. */
export type Use<K extends Kind> = PluginUse<Kinds[K]>;

/** Several plugins or references. */
export type Several<K extends Kind> = readonly Use<K>[];

/** A run as JSON or as objects. See `core/types/training_arguments.ts` for `training` and its defaults. */
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
  /** Absent if the task has its own. */
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

/** A composed run: every part is a plugin, every default is filled in. `use` returns the plugin of a reference. */
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
  /** The search; absent if the spec has none. */
  readonly search?: Search | undefined;
  /** Returns the architecture for the `model_type` of a config.json. */
  architectureFor(modelType: unknown): Promise<Architecture>;
  /** Composes another spec with the same source of plugins. */
  composeOther(spec: RunSpec): Promise<Run>;
  use<K extends Kind>(kind: K, part: Use<K>): Kinds[K];
}

/** A logger, which receives events. */
export interface Logger extends Plugin<"logger"> {
  /** Whether `rows` receives every row of the reported split, with generated texts; absent: 20,000 are enough. */
  readonly everyRow?: boolean;
  open(host: Host, run: Run, output: Store | undefined): Promise<LogWriter>;
}

/** An opened logger. */
export interface LogWriter {
  log(event: TrainingEvent): void;
  /**
   * Receives a task's rows with the trained model's predictions, for loggers with `everyRow`; there may be none. They
   * replace earlier rows of the task. Iterating over `rows` throws if the evaluation is interrupted.
   */
  rows?(task: string, rows: AsyncIterable<Example>): Promise<void>;
  /** Called before a checkpoint: flushes the log and returns its position. */
  mark?(): Promise<Json>;
  /** Called before "start" if a run resumes from a checkpoint: discards everything logged after the mark. */
  resume?(mark: Json): void;
  close(): Promise<void>;
}

/** A trainer, here (ort) or elsewhere (torch), observed through an iterable of events and controlled by a signal. */
export interface Trainer extends Plugin<"trainer"> {
  plan(run: Run, host: Host): Promise<Plan>;
  train(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent>;
}
