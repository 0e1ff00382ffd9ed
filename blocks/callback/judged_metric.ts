/**
 * The metric by which a callback judges evaluations.
 * @module
 */
import * as v from "valibot";
import type { Named, TrainingArguments } from "../../core/types.ts";

/** Options of what is judged. */
export interface JudgedMetricOptions {
  /**
   * The metric's key in an evaluation, as `f1_macro`; transformers' `eval_` in front of it is left out. Null: the run's
   * `metricForBestModel`, or the loss.
   */
  readonly metric: string | null;
  /**
   * Which way is better. Null: what the run's `greaterIsBetter` says, where it is the run's metric; else smaller where the
   * metric is known for errors, as `loss`, `perplexity` or `wer`, and otherwise greater.
   */
  readonly greaterIsBetter: boolean | null;
}

/** The metric that a run is judged by, and whether larger values are better. */
export type Judge = Readonly<{ metric: string; greaterIsBetter: boolean }>;

/** Entries of the schemas of {@link JudgedMetricOptions}. */
export const judgedMetricEntries: {
  readonly metric: v.OptionalSchema<v.GenericSchema<string | null>, null>;
  readonly greaterIsBetter: v.OptionalSchema<v.GenericSchema<boolean | null>, null>;
} = {
  metric: v.optional(v.nullable(v.pipe(v.string(), v.minLength(1))), null),
  greaterIsBetter: v.optional(v.nullable(v.boolean()), null),
};

const smallerIsBetter = /(^|[._-])(loss|perplexity|mse|rmse|mae|wer|cer|ter|brier|error)$/;

/** By what a callback judges in a run. */
export function judgeOf({ metric, greaterIsBetter }: JudgedMetricOptions, training?: TrainingArguments): Judge {
  const key = (metric ?? training?.metricForBestModel ?? "loss").replace(/^eval_/, "");
  const ofRun = metric === null ? training?.greaterIsBetter : null;
  return { metric: key, greaterIsBetter: greaterIsBetter ?? ofRun ?? !smallerIsBetter.test(key) };
}

/** Whether `value` is better than `bestClass`. */
export function isBetter({ greaterIsBetter }: Judge, value: number, best: number): boolean {
  return greaterIsBetter ? value > best : value < best;
}

/** The metric's value; undefined where the evaluation has none that is a number. */
export function metricValue({ metric }: Judge, metrics: Named<number>): number | undefined {
  const value = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
  return value === undefined || Number.isNaN(value) ? undefined : value;
}
