/**
 * Intervals of what was measured, and of the difference between two models over the same rows.
 * @module
 */
import { badValue } from "../base/errors.ts";
import { bcaInterval, type Bounds, percentileInterval, wilson } from "../statistics/intervals.ts";
import { signPermutation } from "../statistics/significance.ts";
import { type Resamples, resamplesOf, type ResamplesOptions, sortedReplicates } from "../statistics/resamples.ts";
import type { Named } from "../types.ts";
import type { MetricStatistics } from "./row_statistics.ts";

/** How resamples are drawn. */
export type ResamplingOptions = ResamplesOptions & Readonly<{ samples: number; confidence?: number }>;

/** Where a value lies, and how that was found. */
export type ValueInterval = Readonly<
  { low: number; high: number; method: "wilson" | "bca" | "percentile"; rough?: boolean }
>;

/** Right or wrong rows below which an interval of a proportion is rough. */
const ROUGH = 5;

/** Intervals of a metric's values, by path: proportions by Wilson, means by BCa, the rest by percentiles. */
export function intervalsOf(own: MetricStatistics, options: ResamplingOptions): Named<ValueInterval> {
  const { confidence = 0.95 } = options;
  const draws = resamplesOf(own.rows, options);
  const found: Record<string, ValueInterval> = {};
  const rest = Object.keys(own.values).filter((key) => {
    const share = draws.clustered ? undefined : own.shares[key] ?? proportionOf(own.means[key]);
    if (!share) return own.values[key] !== null && !isCount(key);
    const [right, n] = share;
    const [low, high] = wilson(right, n, confidence);
    found[key] = { low, high, method: "wilson", ...(Math.min(right, n - right) < ROUGH ? { rough: true } : {}) };
    return false;
  });
  if (rest.length === 0) return found;
  const replicates: Record<string, number[]> = {};
  for (let s = 0; s < options.samples; s++) {
    for (const [key, value] of Object.entries(own.compute(draws.counts(s), draws.clustered))) {
      if (value !== null) (replicates[key] ??= []).push(value);
    }
  }
  for (const key of rest) {
    const bounds = boundsOf(own.values[key] ?? 0, replicates[key], jackknife(own.means[key], draws), options);
    // Resamples that are all alike say nothing of the rows that were not drawn.
    if (bounds) found[key] = { ...bounds, ...(bounds.low === bounds.high ? { rough: true } : {}) };
  }
  return found;
}

/** The difference of one value between two models. */
export type Difference = Readonly<{
  first: number;
  second: number;
  difference: number;
  interval?: ValueInterval;
  /** Of a mean: how likely such a difference is where the sign of each row's is chance. */
  p?: number;
}>;

/**
 * Differences, the second model's value less the first's, over the same resampled rows of both.
 *
 * @throws AttuneError where they were not measured on the same rows.
 */
export function differencesOf(
  first: MetricStatistics,
  second: MetricStatistics,
  options: ResamplingOptions,
): Named<Difference> {
  checkPaired(first.rows, second.rows);
  const draws = resamplesOf(first.rows, options);
  const keys = Object.keys(first.values).filter((key) =>
    typeof first.values[key] === "number" && typeof second.values[key] === "number" && !isCount(key)
  );
  const replicates: Record<string, number[]> = {};
  for (let s = 0; s < options.samples; s++) {
    const counts = draws.counts(s);
    const [a, b] = [first, second].map((own) => own.compute(counts, draws.clustered)) as [Numbers, Numbers];
    for (const key of keys) {
      const [x, y] = [a[key], b[key]];
      if (typeof x === "number" && typeof y === "number") (replicates[key] ??= []).push(y - x);
    }
  }
  return Object.fromEntries(keys.map((key) => {
    const [x, y] = [first.values[key] ?? 0, second.values[key] ?? 0];
    const [a, b] = [first.means[key], second.means[key]];
    const gaps = a && b ? b.map((value, i) => value - (a[i] ?? NaN)) : undefined;
    // Whether proportions differ is McNemar's to say.
    const p = gaps && !draws.clustered && !proportionOf(a)
      ? signPermutation(Array.from(gaps).filter((gap) => !Number.isNaN(gap)), options.random, options.samples)
      : undefined;
    const interval = boundsOf(y - x, replicates[key], jackknife(gaps, draws), options);
    return [key, {
      first: x,
      second: y,
      difference: y - x,
      ...(interval ? { interval } : {}),
      ...(p === undefined ? {} : { p }),
    }];
  }));
}

type Numbers = Named<number | null>;

/** Whether a path is that of a group's count. */
function isCount(path: string): boolean {
  return path.endsWith("\u0000count");
}

function checkPaired(a: Int32Array, b: Int32Array): void {
  if (a.length === b.length && a.every((row, i) => row === b[i])) return;
  const allowed = `the same rows in both, ${a.length} of them`;
  throw badValue("evaluate", "--compare", `${b.length} rows, the first ${Array.from(b.subarray(0, 3))}`, allowed);
}

/** A mean without each cluster; undefined of what is no mean. */
function jackknife(
  numbers: Float64Array | undefined,
  { clusters: { of, count } }: Resamples,
): Float64Array | undefined {
  if (!numbers) return undefined;
  const [sums, sizes] = [new Float64Array(count), new Float64Array(count)];
  let [sum, size] = [0, 0];
  numbers.forEach((x, i) => {
    if (Number.isNaN(x)) return;
    const cluster = of[i] ?? 0;
    sums[cluster] = (sums[cluster] ?? 0) + x;
    sizes[cluster] = (sizes[cluster] ?? 0) + 1;
    [sum, size] = [sum + x, size + 1];
  });
  return sums.map((own, i) => (sum - own) / (size - (sizes[i] ?? 0))).filter(Number.isFinite);
}

/** How many of the units with a number have 1, and how many there are, where all have 0 or 1. */
function proportionOf(numbers: Float64Array | undefined): readonly [number, number] | undefined {
  if (!numbers) return undefined;
  let [right, n] = [0, 0];
  for (const x of numbers) {
    if (Number.isNaN(x)) continue;
    if (x !== 0 && x !== 1) return undefined;
    [right, n] = [right + x, n + 1];
  }
  return n > 0 ? [right, n] : undefined;
}

/** The interval of replicates, most of which must be there. */
function boundsOf(
  value: number,
  replicates: number[] | undefined,
  without: Float64Array | undefined,
  { samples, confidence = 0.95 }: ResamplingOptions,
): ValueInterval | undefined {
  const sorted = sortedReplicates(replicates, samples);
  if (!sorted) return undefined;
  const named = ([low, high]: Bounds, method: ValueInterval["method"]): ValueInterval => ({ low, high, method });
  return without && without.length > 1
    ? named(bcaInterval(value, sorted, without, confidence), "bca")
    : named(percentileInterval(sorted, confidence), "percentile");
}
