/** The events of a run, and their readers: callbacks and metrics. */
import type { Json, Named, Random } from "../base/types.ts";
import type { Plugin } from "./plugin.ts";
import type { TrainingArguments } from "./training_arguments.ts";
import type { TransformReport } from "./transforms.ts";

/** An event of the training loop. `step` counts finished optimizer steps, from 1 in "step". */
export type TrainingEvent =
  & Readonly<{ step: number; epoch: number }>
  & (
    | Readonly<{
      type: "start";
      totalSteps: number;
      totalEpochs: number;
      trainableParameters: number;
      totalParameters: number;
      trainRows: number;
      evalRows: number;
      /** The number of test rows, on which the finished run is reported; absent if there are none. */
      testRows?: number;
      /** The measured peak of a float32 product in the run's runtime; absent if steps are too small to compare. */
      peakMultiplyAddsPerSecond?: number;
    }>
    | Readonly<{
      type: "step";
      loss: number;
      losses: Named<number>;
      gradNorm: number;
      learningRate: number;
      tokens: number;
      samples: number;
      /** Whether the update was skipped because a gradient, and so the norm, was not finite. */
      skipped: boolean;
      /** The loss scale, if the loss was scaled for its gradients. */
      lossScale?: number;
      /** Useful multiply-adds of matrix products, without recomputation and padding; absent if not counted. */
      multiplyAdds?: number;
    }>
    /** A higher peak than that of "start", measured again. */
    | Readonly<{ type: "peak"; peakMultiplyAddsPerSecond: number }>
    | Readonly<{ type: "drift" } & Drift>
    | Readonly<{ type: "evaluate"; metrics: Named<number>; best: boolean }>
    | Readonly<{ type: "checkpoint"; name: string }>
    | Readonly<
      {
        type: "examples";
        phase: "before" | "after";
        /** The split of the rows; absent: those that the run was evaluated on while it trained. */
        split?: "eval" | "test";
        /** The task of the rows; "" if the run has only one. */
        task: string;
        labels: readonly string[];
        metrics: Named<number>;
        /** The metrics that are more than a number. */
        figures?: Named<Json>;
        examples: readonly Example[];
        /** The number of measured rows, of which these may be a sample; absent: exactly these. */
        rows?: number;
      }
    >
    | Readonly<{ type: "samples"; task: string; samples: readonly GeneratedSample[] }>
    | Readonly<{ type: "progress"; what: string; done: number; total: number }>
    | Readonly<{ type: "warning"; code: string; message: string }>
    /** What transforms did to the rows of `what`, such as "data.train"; data.json lists the rows themselves. */
    | Readonly<{ type: "data"; what: string; in: number; out: number; transforms: readonly TransformReport[] }>
    | Readonly<
      {
        type: "end";
        reason: "done" | "stopped" | "interrupted" | "diverged";
        /** The final figures. */
        metrics: Named<number>;
        /** The split that was measured, and its number of rows; absent if nothing was measured. */
        split?: "eval" | "test";
        rows?: number;
        /** If `metrics` are of test rows: those of the evaluation rows. */
        eval?: Named<number>;
        message?: string;
      }
    >
  );

/**
 * The drift of a quantized model from the unquantized one before step one, over some rows: the change of the mean loss
 * in nats, the largest change of a logit, and the cosine of the trainable gradients (null if these are zero).
 */
export type Drift = Readonly<{ rows: number; loss: number; logits: number; gradientCosine: number | null }>;

/** A prompt, the text generated for it, and the row's answer. */
export type GeneratedSample = Readonly<{ prompt: string; text: string; reference: string }>;

/** One evaluated row, for reports. `scores`: probabilities by class, where there are classes. */
export type Example = Readonly<{
  row: number;
  text: string;
  reference: Json;
  prediction: Json;
  scores?: readonly number[];
  /** This row's own loss, if it has classes. */
  loss?: number;
  /** The words, for each of which reference and prediction have a tag. */
  words?: readonly string[];
  /** Columns of the row that metrics ask for, such as groups. */
  groups?: Named<Json>;
}>;

/** A reducer over events: its state is plain data and part of checkpoints; its requests are met between steps. */
export interface Callback extends Plugin<"callback"> {
  /** Returns the metric by which it judges evaluations; absent: it needs no evaluations. */
  needsEvaluation?(training: TrainingArguments): string;
  init(): unknown;
  /** Handles an event. `training`: the run's arguments. */
  on(
    state: unknown,
    event: TrainingEvent,
    training?: TrainingArguments,
  ): Readonly<{ state: unknown; ask?: TrainerControl }>;
}

/** The requests of a callback to the trainer. */
export type TrainerControl = Readonly<{
  stop?: string;
  evaluate?: boolean;
  save?: boolean;
  /** Keeps a copy of the trained weights as the best so far, to be restored at the end. */
  keep?: boolean;
  learningRateFactor?: number;
}>;

/**
 * Facts about the row of a reading, for metrics that ask for them: the columns that they name, and the names of the
 * task's classes, if these have names.
 */
export type RowFacts = Readonly<{ columns?: Named<Json>; classes?: readonly string[] }>;

/** The kinds of readings that metrics take: the same in the trainer, at an endpoint, in a browser. */
export interface MetricInputs {
  label: RowFacts & Readonly<{ prediction: number; reference: number; scores?: ArrayLike<number> }>;
  number: RowFacts & Readonly<{ prediction: number; reference: number }>;
  labels:
    & RowFacts
    & Readonly<{ prediction: readonly number[]; reference: readonly number[]; scores?: ArrayLike<number> }>;
  loss: RowFacts & Readonly<{ sum: number; count: number }>;
  tags: RowFacts & Readonly<{ prediction: readonly string[]; reference: readonly string[] }>;
  /** `prompt`: the question, if a row has several. */
  text:
    & RowFacts
    & Readonly<{ prediction: string; references: readonly string[]; noAnswerProbability?: number; prompt?: string }>;
}

/**
 * A streaming metric: its state is plain data of bounded size, which can be sent to workers and over HTTP; `merge` is
 * associative. `reads`: the kinds of readings it accepts, in order of preference. The keys of `compute` are the
 * metric's name, with the kind of average for F1 and the like.
 */
export interface Metric extends Plugin<"metric"> {
  readonly reads: readonly (keyof MetricInputs)[];
  readonly greaterIsBetter: boolean;
  /** Whether its values are percentages: 100 rather than 1 for a correct row. */
  readonly percent?: boolean;
  /** Further columns of the rows that it reads, such as groups; absent: none. */
  readonly columns?: readonly string[];
  init(): unknown;
  update(state: unknown, example: MetricInputs[keyof MetricInputs]): unknown;
  /** Estimates the number of elementary steps of `update`; absent: it is the example's length. */
  steps?(example: MetricInputs[keyof MetricInputs]): number;
  merge(a: unknown, b: unknown): unknown;
  /** Combines states, each repeated `counts` times, if merging them one by one is slow; absent: they are merged. */
  gather?(states: readonly unknown[], counts: ArrayLike<number>): unknown;
  compute(state: unknown): Named<number | null>;
  /** Throws AttuneError if all rows together cannot be measured, for instance if a named group is empty. */
  check?(state: unknown): void;
  /** Returns the values in metrics.json and reports that are more than one number. Absent: there are none. */
  figures?(state: unknown): Named<Json>;
  /** How a single row is measured, if `compute` omits values for few rows. */
  readonly alone?: Pick<Metric, "compute" | "figures">;
  /** Returns the state with the rows' groups permuted at random, for gaps by chance; undefined: impossible. */
  regrouped?(state: unknown, random: Random): unknown;
  /** Returns the numbers in `figures` that are shares of rows, as counts. */
  shares?(state: unknown): readonly Share[];
}

/** A share of rows among a metric's figures: it holds for `right` of `of` rows. */
export type Share = Readonly<{ path: readonly string[]; right: number; of: number }>;
