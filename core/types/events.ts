/** The events of a run, and who reads them: callbacks, metrics. */
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
      /** Rows that the run is reported on behind its end; absent if there are none. */
      testRows?: number;
      /** Of a float32 product of the run's own runtime, as measured; absent where steps are too small to compare. */
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
      /** Nothing was updated: a gradient was not finite, and the norm of all is none. */
      skipped: boolean;
      /** What the loss was multiplied by before its gradients were taken, where it was. */
      lossScale?: number;
      /** Useful ones of its matrix products: nothing made twice, no padding; absent if the trainer does not count. */
      multiplyAdds?: number;
    }>
    /** The peak that "start" tells, measured again: more than before. */
    | Readonly<{ type: "peak"; peakMultiplyAddsPerSecond: number }>
    | Readonly<{ type: "drift" } & Drift>
    | Readonly<{ type: "evaluate"; metrics: Named<number>; best: boolean }>
    | Readonly<{ type: "checkpoint"; name: string }>
    | Readonly<
      {
        type: "examples";
        phase: "before" | "after";
        /** Whose rows they are; absent: those that judged the run while it trained. */
        split?: "eval" | "test";
        /** The task whose rows they are; "" where a run has one. */
        task: string;
        labels: readonly string[];
        metrics: Named<number>;
        /** What of these is more than a number. */
        figures?: Named<Json>;
        examples: readonly Example[];
        /** How many rows were measured, of which these may be a sample; absent: these. */
        rows?: number;
      }
    >
    | Readonly<{ type: "samples"; task: string; samples: readonly GeneratedSample[] }>
    | Readonly<{ type: "progress"; what: string; done: number; total: number }>
    | Readonly<{ type: "warning"; code: string; message: string }>
    /** What transforms did to the rows of `what`, "data.train"; the rows themselves are named in data.json. */
    | Readonly<{ type: "data"; what: string; in: number; out: number; transforms: readonly TransformReport[] }>
    | Readonly<
      {
        type: "end";
        reason: "done" | "stopped" | "interrupted" | "diverged";
        /** The final figures. */
        metrics: Named<number>;
        /** What these are of, and of how many rows; absent if nothing was measured. */
        split?: "eval" | "test";
        rows?: number;
        /** Where they are of test rows, those of the rows that judged the run. */
        eval?: Named<number>;
        message?: string;
      }
    >
  );

/**
 * How far a model with quantized weights is from the unquantized one before step one, over some rows: the change of the
 * mean loss in nats, the largest change of a logit, and the cosine of the trainable gradients, null where these are zero.
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
  /** This row's own loss, where it is one of classes. */
  loss?: number;
  /** The words that reference and prediction have a tag each for. */
  words?: readonly string[];
  /** Columns of the row that metrics ask for, as those of groups. */
  groups?: Named<Json>;
}>;

/** A reducer: its state is plain data and part of the checkpoint; what it asks for happens between steps. */
export interface Callback extends Plugin<"callback"> {
  /** The metric that it judges evaluations by, as an evaluation calls it; absent: it does not wait for any. */
  needsEvaluation?(training: TrainingArguments): string;
  init(): unknown;
  /** `training`: the run's arguments. */
  on(
    state: unknown,
    event: TrainingEvent,
    training?: TrainingArguments,
  ): Readonly<{ state: unknown; ask?: TrainerControl }>;
}

/** The requests that a callback may make of the trainer. */
export type TrainerControl = Readonly<{
  stop?: string;
  evaluate?: boolean;
  save?: boolean;
  /** Keep a copy of the trained weights as the best so far, and put it back at the end. */
  keep?: boolean;
  learningRateFactor?: number;
}>;

/**
 * Of the row that a reading is of, for metrics that ask for it: the columns that they name, and the names of the task's
 * classes where these have names.
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
  /** `prompt`: what was asked, where a row is asked several times. */
  text:
    & RowFacts
    & Readonly<{ prediction: string; references: readonly string[]; noAnswerProbability?: number; prompt?: string }>;
}

/**
 * Streaming: state is plain data of bounded size, so it crosses workers and HTTP; `merge` is associative. `reads`:
 * the readings it takes, in order of preference. `compute`'s keys: the metric's use name, F1 and its like with their average.
 */
export interface Metric extends Plugin<"metric"> {
  readonly reads: readonly (keyof MetricInputs)[];
  readonly greaterIsBetter: boolean;
  /** Whether its values are percent: those of a row that is right 100 and not 1. */
  readonly percent?: boolean;
  /** Columns of the rows that it reads besides, as those of groups; absent: none. */
  readonly columns?: readonly string[];
  init(): unknown;
  update(state: unknown, example: MetricInputs[keyof MetricInputs]): unknown;
  /** About how many elementary steps `update` takes; absent: as many as the example is long. */
  steps?(example: MetricInputs[keyof MetricInputs]): number;
  merge(a: unknown, b: unknown): unknown;
  /** So many of each of some states as one, for a metric whose states are slow to merge; absent: they are merged. */
  gather?(states: readonly unknown[], counts: ArrayLike<number>): unknown;
  compute(state: unknown): Named<number | null>;
  /** Throws AttuneError if all rows together cannot be measured, as where nobody is of a group that is named; of some rows nothing is said. */
  check?(state: unknown): void;
  /** What stands in metrics.json and reports for keys of `compute` that are more than one number. Absent: nothing is. */
  figures?(state: unknown): Named<Json>;
  /** How a single row is measured, if `compute` leaves out what is said of few rows. */
  readonly alone?: Pick<Metric, "compute" | "figures">;
  /** The same rows, each in a group that is drawn, as many in each group: what gaps are by chance. Undefined: nobody can say. */
  regrouped?(state: unknown, random: Random): unknown;
  /** Of numbers within `figures` that are shares of rows, by their keys: how many have it, and of how many. */
  shares?(state: unknown): readonly Share[];
}

/** A share of rows within figures. */
export type Share = Readonly<{ path: readonly string[]; right: number; of: number }>;
