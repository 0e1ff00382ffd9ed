/** Tasks: what is learned, as the parts that a run is made of. */
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

/** The task to learn, as data: subtasks whose parts are default references, which a spec may replace. */
export interface Task extends Plugin<"task"> {
  readonly subtasks: readonly Subtask[];
  /** How often each of several tasks has its turn, in proportion, given the number of its rows; absent: by these. */
  sampling?(rows: Named<number>): Named<number>;
}

/**
 * The facts of a checkpoint that a task sees. `trained`: whether its files have weights of a head's output
 * ("sequence"); `modules`: what a folder of sentence-transformers says, to tasks that ask for it.
 */
export type TaskContext = Readonly<{
  config: Named<Json>;
  trained: (head: string) => boolean;
  modules?: SentenceModules | undefined;
}>;

/**
 * Names of classes as rows have them. `valueOf`: what of a row says its classes, as JSON; `namesOf`: the names in all
 * different values, each with the number of the first row that has it.
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
  /** The task as a checkpoint completes it: which classes there are where nobody says, and how its head has them. */
  readonly withConfig?: ((context: TaskContext) => Subtask) | undefined;
  /** Names of the classes in the order of their ids; `config` has them in the order of the head's outputs. */
  readonly labels?: readonly string[];
  /** Whether it wants to know what a folder of sentence-transformers says of embeddings. */
  readonly asksModules?: boolean;
  /** The modules that make its embeddings, written with the saved model. */
  readonly modules?: SentenceModules | undefined;
  /** Notes for the user before the run. */
  readonly notes?: readonly string[];
  /**
   * Set where nobody has named the classes, and the names that rows have would do. The task takes them as its option
   * `labels`.
   */
  readonly labelsIn?: LabelNames | undefined;
  /** The classes that a row is labelled with, by their ids: one, or one for each word. Absent: it tells no classes. */
  readonly classIds?: ((row: Row, index: number) => readonly number[]) | undefined;
  readonly collator: PluginUse<Collator>;
  readonly heads: readonly PluginUse<Head>[];
  readonly metrics: readonly PluginUse<Metric>[];
  readonly adapters?: readonly PluginUse<Adapter>[];
  /** `classes`: how many the target tells apart, which the output must have. */
  readonly losses: readonly Readonly<
    { loss: PluginUse<Loss>; output: string; target: string; weight?: number; classes?: number }
  >[];
  /** Its own data, where several tasks have theirs. */
  readonly data?: RunData;
  /** How much its losses count beside other tasks'. */
  readonly weight?: number;
  /** Whether several samples of the training data make one row of `maxLength`. */
  readonly packing?: boolean;
  /**
   * Rows are answered with what the model goes on with: `predict` is given `sequences` [rows, longest], -1 behind the
   * end. What is not said here is as the checkpoint's generation_config.json has it.
   */
  readonly generate?: Partial<GenerationConfig>;
  /** Outputs that `decode` reads; absent: all. Others are not computed whole where rows have labels. */
  readonly evaluationOutputs?: readonly string[];
  /** Changes to the config of what is saved: id2label, problem_type. */
  readonly config?: Named<Json>;
  /** PEFT's task_type. */
  readonly taskType?: string;
  /** The suffix of transformers' class with this head: "ForMultipleChoice". Absent: given by `taskType`. */
  readonly modelClass?: string;
  /** Whose outputs become targets. */
  readonly teacher?: Teacher;
  decode(
    outputs: Named<Tensor>,
    batch: Batch,
    tokenizer: Tokenizer,
  ): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] };
  /** What `decode` gives of rows of different classes: what metrics are tried on before there are rows. Absent: they are not. */
  triedReadings?(): ReturnType<Subtask["decode"]>;
  /** The sample of each reading, of kinds whose readings are of places within rows and not of rows. Absent: none are. */
  placesOf?(batch: Batch): { readonly [R in keyof MetricInputs]?: Int32Array };
  /** One JSON line per row, as `attune predict` prints it. */
  predict(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly Named<Json>[];
  /** How rows are read that may be several samples, where they are. */
  readonly windows?: Windows;
}

/** A row of several samples: the part that each sample gives, and the row's readings and prediction from all parts. */
export interface Windows {
  part(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly unknown[];
  decode(parts: readonly unknown[]): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] };
  predict(parts: readonly unknown[]): Named<Json>;
}

/** A model whose `outputs` for each row become targets `teacher.<output>`. `cache`: the folder that keeps them; null: none; absent: the user's cache. */
export type Teacher = Readonly<{
  model: PluginUse<ModelSource>;
  tokenizer?: PluginUse<TokenizerLoader>;
  task: Subtask;
  outputs: readonly string[];
  cache?: string | null | undefined;
}>;
