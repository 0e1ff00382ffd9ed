/**
 * Bootstrap intervals of metrics.
 * @module
 */
import { badValue } from "../errors.ts";
import { quantileOf } from "./intervals.ts";
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
 * classified rows take well under a second.
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
  const values: Record<string, (number | null)[]> = {};
  const resample = examples.length > 0 ? resampler(metric, examples) : () => metric.init();
  for (let i = 0; i < samples; i++) {
    const stream = random.fork("bootstrap", i);
    const state = resample((draw) => Math.floor(stream.uniform(draw) * examples.length));
    for (const [key, value] of Object.entries(metric.compute(state))) (values[key] ??= []).push(value);
  }
  const tail = (1 - confidence) / 2;
  return Object.fromEntries(
    Object.entries(values).map(([key, all]) => {
      const sorted = all.filter((x) => x !== null).sort((a, b) => a - b);
      const defined = sorted.length * 2 > samples;
      return [key, {
        low: defined ? quantileOf(sorted, tail) : null,
        high: defined ? quantileOf(sorted, 1 - tail) : null,
      }];
    }),
  );
}

/** Makes the state of one resample; `index` says which example the n-th draw is. */
type Resample = (index: (draw: number) => number) => unknown;

function resampler(metric: Metric, examples: readonly Example[]): Resample {
  const states = examples.map((example) => metric.update(metric.init(), example));
  const kinds = new Map<string, number>();
  const kindOf = states.map((state) => {
    const key = JSON.stringify(state);
    const kind = kinds.get(key) ?? kinds.size;
    kinds.set(key, kind);
    return kind;
  });
  if (kinds.size * 8 <= examples.length) return byCount(metric, states, kindOf, kinds.size);
  // What took long to read, as texts, is merged from the states; what is quickly read is read again.
  const slow = examples.some((example) =>
    "references" in example || ("prediction" in example && Array.isArray(example.prediction))
  );
  if (slow) return (index) => mergeAll(metric, examples.map((_, draw) => states[index(draw)]));
  return (index) => {
    let state = metric.init();
    for (let draw = 0; draw < examples.length; draw++) {
      const example = examples[index(draw)];
      if (example) state = metric.update(state, example);
    }
    return state;
  };
}

/** Few kinds of examples: draws are counted. */
function byCount(metric: Metric, states: readonly unknown[], kindOf: readonly number[], kinds: number): Resample {
  const merged = countedStates(metric, Array.from({ length: kinds }, (_, kind) => states[kindOf.indexOf(kind)]));
  return (index) => {
    const counts = new Uint32Array(kinds);
    for (let draw = 0; draw < kindOf.length; draw++) {
      const kind = kindOf[index(draw)] ?? 0;
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return merged(counts);
  };
}

/** States of which each is there so many times, as one: n of a kind are merged from states of 1, 2, 4, ... of them. */
export function countedStates(metric: Metric, states: readonly unknown[]): (counts: Uint32Array) => unknown {
  const powers: unknown[][] = states.map((state) => [state]);
  const power = (kind: number, bit: number): unknown => {
    const made = powers[kind] ?? [];
    while (made.length <= bit) made.push(metric.merge(made.at(-1), made.at(-1)));
    return made[bit];
  };
  return (counts) => {
    const parts: unknown[] = [];
    counts.forEach((count, kind) => {
      for (let bit = 0; count >> bit > 0; bit++) if ((count >> bit) & 1) parts.push(power(kind, bit));
    });
    return parts.length === 0 ? metric.init() : mergeAll(metric, parts);
  };
}

/** Merges in pairs, so that states that grow are not copied for each part. */
function mergeAll(metric: Metric, parts: readonly unknown[]): unknown {
  let level = parts;
  while (level.length > 1) {
    const next: unknown[] = [];
    for (let i = 0; i < level.length; i += 2) {
      next.push(i + 1 < level.length ? metric.merge(level[i], level[i + 1]) : level[i]);
    }
    level = next;
  }
  return level[0];
}
