/** Metrics that are a mean of one number per example. */
import type { Metric, MetricInputs, Plugin } from "../../core/types.ts";

/** A metric without its name and options. */
export type MetricParts = Omit<Metric, keyof Plugin>;

/** A running mean. */
export type Mean = Readonly<{ count: number; sum: number }>;

/** The mean of no values. */
export const emptyMean: Mean = Object.freeze({ count: 0, sum: 0 });

/** Adds one value to a mean, or `count` values whose sum is `sum`. */
export function addToMean(mean: Mean, sum: number, count: number = 1): Mean {
  return { count: mean.count + count, sum: mean.sum + sum };
}

/** Merges two means. */
export function mergeMeans(a: Mean, b: Mean): Mean {
  return { count: a.count + b.count, sum: a.sum + b.sum };
}

/** Returns the mean; null if there are no values. */
export function meanOf(mean: Mean): number | null {
  return mean.count > 0 ? finite(mean.sum / mean.count) : null;
}

/** Returns a number, or null if it is not finite: results are sent as JSON, which has no NaN. */
export function finite(x: number): number | null {
  return Number.isFinite(x) ? x : null;
}

/** Returns a metric that is the mean of `value` over the examples, passed through `finish`. */
export function meanMetric<R extends keyof MetricInputs>(
  name: string,
  reads: readonly R[],
  value: (example: MetricInputs[R]) => number,
  { greaterIsBetter = false, finish = (mean: number) => mean }: Readonly<
    { greaterIsBetter?: boolean; finish?: (mean: number) => number }
  > = {},
): MetricParts {
  return {
    reads: reads,
    greaterIsBetter,
    init: () => emptyMean,
    update: (state: Mean, example: MetricInputs[R]) => addToMean(state, value(example)),
    merge: (a: Mean, b: Mean) => mergeMeans(a, b),
    compute: (state: Mean) => {
      const mean = meanOf(state);
      return { [name]: mean === null ? null : finite(finish(mean)) };
    },
  };
}
