/** Intervals of a metric over examples. */
import { badValue } from "../base/errors.ts";
import type { Interval } from "./intervals.ts";
import { collectMetric, type MetricStatistics } from "./metric_statistics.ts";
import { intervalsOf, type ResamplingOptions } from "./resampled.ts";
import { RESAMPLES } from "./resamples.ts";
import type { Metric, MetricInputs, Named, Random } from "../types.ts";

/** Options of an interval. */
export type BootstrapOptions = Readonly<{
  /** Number of resamples; 2000 by default. */
  samples?: number;
  /** Confidence level; 0.95 by default. */
  confidence?: number;
  random: Random;
}>;

/**
 * Returns intervals of every value that a metric computes, as in `attune evaluate --intervals`: Wilson's for shares of
 * examples, the bias-corrected and accelerated bootstrap (Efron 1987) for other means, and bootstrap percentiles for
 * the rest. The same random stream gives the same intervals. With more than 32,768 examples, resamples are drawn from a
 * random sample of them.
 *
 * @throws AttuneError if `samples` or `confidence` is invalid.
 * @example
 * ```ts
 * import { bootstrap, createRandom } from "attune";
 * import { accuracy } from "attune/metrics/accuracy";
 * const rows = Array.from({ length: 100 }, (_, i) => ({ prediction: 1, reference: i < 80 ? 1 : 0 }));
 * const { low, high } = bootstrap(accuracy(), rows, { random: createRandom(1) }).accuracy ?? {};
 * console.assert((low ?? 0) > 0.68 && (low ?? 0) < 0.76 && (high ?? 0) > 0.84 && (high ?? 0) < 0.92);
 * ```
 */
export function bootstrap(
  metric: Metric,
  examples: readonly MetricInputs[keyof MetricInputs][],
  { samples = RESAMPLES, confidence = 0.95, random }: BootstrapOptions,
): Named<Interval> {
  if (!Number.isInteger(samples) || samples < 1) {
    throw badValue("bootstrap", "samples", samples, "a whole number above 0");
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw badValue("bootstrap", "confidence", confidence, "a number between 0 and 1");
  }
  const collector = collectMetric(metric);
  examples.forEach((example, row) => collector.add(row, row, [example]));
  return intervalsOrNone(collector.end(), { samples, confidence, random });
}

/** Returns an interval of every value, with null bounds if there is none. */
export function intervalsOrNone(statistics: MetricStatistics, options: ResamplingOptions): Named<Interval> {
  const intervals = intervalsOf(statistics, options);
  return Object.fromEntries(
    Object.keys(statistics.values).map((
      key,
    ) => [key, { low: intervals[key]?.low ?? null, high: intervals[key]?.high ?? null }]),
  );
}
