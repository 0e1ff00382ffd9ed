/**
 * Bootstrap intervals of metrics.
 * @module
 */
import { badValue } from "../base/errors.ts";
import { replicateBounds, resamplesOf } from "./resamples.ts";
import { collectStates } from "./unit_states.ts";
import type { Metric, MetricInputs, Named, Random } from "../types.ts";

/** How an interval is made. */
export type BootstrapOptions = Readonly<{
  /** Resamples; 1000 unless given. */
  samples?: number;
  /** The share of resamples that lie inside; 0.95 unless given. */
  confidence?: number;
  random: Random;
}>;

/** Where a metric's value lies; null: undefined in most resamples. */
export type Interval = Readonly<{ low: number | null; high: number | null }>;

type Example = MetricInputs[keyof MetricInputs];

/**
 * Percentile intervals (Efron 1979) of every value a metric computes, from examples drawn with replacement. The same random
 * stream gives the same intervals. Examples that mean the same to the metric are drawn as counts, so thousands of
 * classified rows take well under a second; of more than 8,192 that all mean something else a random sample of them is drawn
 * from.
 *
 * @throws AttuneError where `samples` or `confidence` make no interval.
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
  examples: readonly Example[],
  { samples = 1000, confidence = 0.95, random }: BootstrapOptions,
): Named<Interval> {
  if (!Number.isInteger(samples) || samples < 1) {
    throw badValue("bootstrap", "samples", samples, "a whole number above 0");
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw badValue("bootstrap", "confidence", confidence, "a number between 0 and 1");
  }
  const states = collectStates(metric);
  let total = metric.init();
  for (const example of examples) {
    states.add(metric.update(metric.init(), example));
    total = metric.update(total, example);
  }
  const whole = metric.compute(total);
  const resamples = resamplesOf(examples.map((_, i) => i), { random });
  const values: Record<string, number[]> = {};
  for (let i = 0; i < samples; i++) {
    for (const [key, value] of Object.entries(states.compute(resamples.counts(i), whole, false))) {
      const replicates = values[key] ??= [];
      if (value !== null) replicates.push(value);
    }
  }
  return Object.fromEntries(
    Object.entries(values).map(([key, replicates]) => {
      const [low = null, high = null] = replicateBounds(replicates, samples, confidence) ?? [];
      return [key, { low, high }];
    }),
  );
}
