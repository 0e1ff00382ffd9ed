/** The metric by which a callback compares evaluations. */
import * as v from "valibot";
import type { Named, TrainingArguments } from "../../core/types.ts";

/** Options of the metric. */
export interface JudgedMetricOptions {
  /**
   * The key of the metric in an evaluation, such as `f1_macro`; a prefix `eval_`, as in transformers, is dropped. Null:
   * the run's `metricForBestModel`, or the loss.
   */
  readonly metric: string | null;
  /**
   * Whether larger values are better. Null: the run's `greaterIsBetter` for the run's metric; for others, smaller is
   * better for metrics of errors such as `loss`, `perplexity` or `wer`, and larger for all others.
   */
  readonly greaterIsBetter: boolean | null;
}

/** The metric that a run is judged by, and whether larger values are better. */
export type Judge = Readonly<{ metric: string; greaterIsBetter: boolean }>;

/** Schema entries of {@link JudgedMetricOptions}. */
export const judgedMetricEntries: {
  readonly metric: v.OptionalSchema<v.GenericSchema<string | null>, null>;
  readonly greaterIsBetter: v.OptionalSchema<v.GenericSchema<boolean | null>, null>;
} = {
  metric: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1))), null),
  greaterIsBetter: v.optional(v.nullable(v.boolean()), null),
};

const smallerIsBetter = /(^|[._-])(loss|perplexity|mse|rmse|mae|wer|cer|ter|brier|error)$/;

/** Returns the metric that a callback uses in a run, and its direction. */
export function judgeOf({ metric, greaterIsBetter }: JudgedMetricOptions, training?: TrainingArguments): Judge {
  const key = (metric ?? training?.metricForBestModel ?? "loss").replace(/^eval_/, "");
  const ofRun = metric === null ? training?.greaterIsBetter : null;
  return { metric: key, greaterIsBetter: greaterIsBetter ?? ofRun ?? !smallerIsBetter.test(key) };
}

/** Whether `value` is better than `best`. */
export function isBetter({ greaterIsBetter }: Judge, value: number, best: number): boolean {
  return greaterIsBetter ? value > best : value < best;
}

/** Returns the metric's value; undefined if the evaluation lacks it or it is not finite. */
export function metricValue({ metric }: Judge, metrics: Named<number>): number | undefined {
  const value = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
  return value === undefined || !Number.isFinite(value) ? undefined : value;
}
