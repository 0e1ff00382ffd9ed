/** Tasks: the objective of a run, as its default parts. */
import type { Json, Named, Tensor } from "../base/types.ts";
import type { Metric, MetricInputs } from "./events.ts";
import type { Plugin, PluginUse } from "./plugin.ts";
import type { Batch, Collator, Row, Rows, RunData, Tokenizer, TokenizerLoader } from "./rows.ts";
import type { SentenceModules } from "./sentence.ts";
import type { ModelSource } from "./checkpoint.ts";
import type { Adapter } from "./adapter.ts";
import type { Head } from "./head.ts";
import type { Loss } from "./loss.ts";
import type { GenerationConfig } from "./generation.ts";

/** A task as data: subtasks with default parts, which a spec may replace. */
export interface Task extends Plugin<"task"> {
  readonly subtasks: readonly Subtask[];
  /** Returns how often each of several tasks is sampled, relative to the others, given their rows; absent: by rows. */
  sampling?(rows: Named<number>): Named<number>;
}

/**
 * The facts about a checkpoint for a task. `trained`: whether its files have the output weights of a head ("sequence");
 * `modules`: those of a sentence-transformers folder, for tasks that ask for them.
 */
export type TaskContext = Readonly<{
  config: Named<Json>;
  trained: (head: string) => boolean;
  modules?: SentenceModules | undefined;
}>;

/**
 * How class names are read from rows. `valueOf`: the part of a row that names its classes, as JSON; `namesOf`: the
 * names in all distinct values, each with the index of the first row that has it.
 */
export type LabelNames = Readonly<{
  valueOf(row: Row): Json | undefined;
  namesOf(values: readonly (readonly [row: number, value: unknown])[], classes?: Rows["classes"]): readonly string[];
}>;

/**
 * One task. `name` is "" when alone; else it prefixes metrics, head parameters and the task's own adapters.
 * `decode`: outputs as metrics read them.
 */
export interface Subtask {
  readonly name: string;
  /** Returns the task completed by a checkpoint: classes that nobody has named, and their order in its head. */
  readonly withConfig?: ((context: TaskContext) => Subtask) | undefined;
  /** The class names in the order of their ids; `config` has them in the order of the head's outputs. */
  readonly labels?: readonly string[];
  /** Whether it needs the modules of a sentence-transformers folder. */
  readonly asksModules?: boolean;
  /** The modules that compute its embeddings, which are saved with the model. */
  readonly modules?: SentenceModules | undefined;
  /** Notes for the user before the run. */
  readonly notes?: readonly string[];
  /**
   * Set if the classes have not been named and can be taken from rows. The task takes them as its option `labels`.
   */
  readonly labelsIn?: LabelNames | undefined;
  /** Returns the class ids that a row is labelled with: one, or one per word. Absent: the task has no classes. */
  readonly classIds?: ((row: Row, index: number) => readonly number[]) | undefined;
  readonly collator: PluginUse<Collator>;
  readonly heads: readonly PluginUse<Head>[];
  readonly metrics: readonly PluginUse<Metric>[];
  readonly adapters?: readonly PluginUse<Adapter>[];
  /** The losses. `classes`: the number of the target's classes, which the output must have. */
  readonly losses: readonly Readonly<
    { loss: PluginUse<Loss>; output: string; target: string; weight?: number; classes?: number }
  >[];
  /** Its own data, if several tasks each have theirs. */
  readonly data?: RunData;
  /** The weight of its losses relative to those of other tasks. */
  readonly weight?: number;
  /** Whether training samples are packed into rows of `maxLength`. */
  readonly packing?: boolean;
  /**
   * Set if rows are answered with generated text: `predict` receives `sequences` [rows, longest], -1 after the end.
   * Options that are absent come from the checkpoint's generation_config.json.
   */
  readonly generate?: Partial<GenerationConfig>;
  /** Outputs that `decode` reads; absent: all. Others are not computed in full if rows have labels. */
  readonly evaluationOutputs?: readonly string[];
  /** Changes to the saved model's config: id2label, problem_type. */
  readonly config?: Named<Json>;
  /** PEFT's task_type. */
  readonly taskType?: string;
  /** The suffix of transformers' class with this head: "ForMultipleChoice". Absent: given by `taskType`. */
  readonly modelClass?: string;
  /** A teacher, whose outputs become targets. */
  readonly teacher?: Teacher;
  decode(
    outputs: Named<Tensor>,
    batch: Batch,
    tokenizer: Tokenizer,
  ): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] };
  /** Returns example readings of rows of different classes, to try metrics on before the run. Absent: not tried. */
  triedReadings?(): ReturnType<Subtask["decode"]>;
  /** Returns the sample of each reading, for kinds with readings of places rather than rows. Absent: there are none. */
  placesOf?(batch: Batch): { readonly [R in keyof MetricInputs]?: Int32Array };
  /** Returns one JSON object per row, as `attune predict` prints it. */
  predict(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly Named<Json>[];
  /** How rows that become several samples are read, if there are any. */
  readonly windows?: Windows;
}

/** The reading of rows with several samples: a part from each sample, then the row's result from all parts. */
export interface Windows {
  part(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly unknown[];
  decode(parts: readonly unknown[]): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] };
  predict(parts: readonly unknown[]): Named<Json>;
}

/** A model whose `outputs` become targets `teacher.<output>`. `cache`: a folder (null: none; absent: the user's). */
export type Teacher = Readonly<{
  model: PluginUse<ModelSource>;
  tokenizer?: PluginUse<TokenizerLoader>;
  task: Subtask;
  outputs: readonly string[];
  cache?: string | null | undefined;
}>;
