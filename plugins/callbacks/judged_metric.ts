/**
 * The metric by which a callback judges evaluations.
 * @module
 */
import * as v from "valibot";
import type { Named } from "../../core/types.ts";

/** Options of what is judged. */
export interface JudgedMetricOptions {
  /** The metric's key in an evaluation, as `f1_macro`; transformers' `eval_` in front of it is left out. */
  readonly metric: string;
  /** Which way is better; null: smaller where the metric is known for errors, as `loss`, `perplexity` or `wer`, else greater. */
  readonly greaterIsBetter: boolean | null;
}

/** Entries of the schemas of {@link JudgedMetricOptions}. */
export const judgedMetricEntries: {
  readonly metric: v.OptionalSchema<v.GenericSchema<string>, "loss">;
  readonly greaterIsBetter: v.OptionalSchema<v.GenericSchema<boolean | null>, null>;
} = {
  metric: v.optional(v.pipe(v.string(), v.minLength(1)), "loss"),
  greaterIsBetter: v.optional(v.nullable(v.boolean()), null),
};

const smallerIsBetter = /(^|[._-])(loss|perplexity|mse|rmse|mae|wer|cer|ter|brier|error)$/;

/** Whether `value` is better than `best`. */
export function isBetter({ metric, greaterIsBetter }: JudgedMetricOptions, value: number, best: number): boolean {
  return greaterIsBetter ?? !smallerIsBetter.test(metric) ? value > best : value < best;
}

/** The metric's value; undefined where the evaluation has none that is a number. */
export function judged({ metric }: JudgedMetricOptions, metrics: Named<number>): number | undefined {
  const key = metric.replace(/^eval_/, "");
  const value = Object.hasOwn(metrics, key) ? metrics[key] : undefined;
  return value === undefined || Number.isNaN(value) ? undefined : value;
}
