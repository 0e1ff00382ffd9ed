/** Intervals of metrics, and of the differences between two models over the same rows. */
import { badValue } from "../base/errors.ts";
import { createRandom } from "../math/random.ts";
import { bcaInterval, percentileInterval, wilson } from "./intervals.ts";
import type { KeptUnits, MetricStatistics, UnitSums } from "./metric_statistics.ts";
import { normalShare } from "./normal.ts";
import { RESAMPLES, resamplesOf } from "./resamples.ts";
import { signPermutation } from "./significance.ts";
import type { Named, Random } from "../types.ts";

/** Options of resampling; the same random stream always gives the same resamples. */
export type ResamplingOptions = Readonly<{ random: Random; samples: number; confidence?: number }>;

/** Returns the default resampling of evaluations. */
export function usualResampling(seed = 42): ResamplingOptions {
  return { samples: RESAMPLES, random: createRandom(seed).fork("evaluation") };
}

/** The interval of a value, and its method. */
export type ValueInterval = Readonly<
  { low: number; high: number; method: "wilson" | "bca" | "percentile"; rough?: boolean }
>;

/** Number of right or wrong rows below which the interval of a proportion is rough. */
const ROUGH = 5;

/** Returns intervals of a metric's values by path: Wilson for proportions, BCa for means, percentiles for the rest. */
export function intervalsOf(statistics: MetricStatistics, options: ResamplingOptions): Named<ValueInterval> {
  const intervals: Record<string, ValueInterval> = {};
  const rest = Object.keys(statistics.values).filter((key) => {
    const share = statistics.clustered || isCount(key) ? undefined : statistics.shares[key];
    if (share) intervals[key] = shareInterval(statistics, share, options.confidence);
    return !share && statistics.values[key] !== null && !isCount(key);
  });
  if (rest.length === 0) return intervals;
  const units = statistics.units();
  const replicates = replicatesOf([units], rest, options, ([values = {}], key) => values[key] ?? null);
  for (const key of rest) {
    const bounds = boundsOf(statistics.values[key] ?? 0, replicates[key], withoutEach(units.means[key]), options);
    // If all resamples are equal, they say nothing about other rows.
    if (bounds) intervals[key] = { ...bounds, ...(bounds.low === bounds.high ? { rough: true } : {}) };
  }
  return intervals;
}

/** A mean with its interval. */
export type MeanInterval = ValueInterval & Readonly<{ value: number }>;

/**
 * Returns the mean of rows' numbers with its 95 % interval, as in `attune evaluate --intervals`: Wilson's if every
 * number is 0 or 1, otherwise BCa. Undefined without rows.
 *
 * @example
 * ```ts
 * import { rowsInterval } from "attune/kit";
 * const { value = 0, low = 0 } = rowsInterval([1, 1, 0, 1]) ?? {};
 * console.assert(value === 0.75 && low > 0.3);
 * ```
 */
export function rowsInterval(
  numbers: readonly number[],
  options: ResamplingOptions = usualResampling(),
): MeanInterval | undefined {
  const right = numbers.reduce((a, b) => a + b, 0);
  return numbers.length > 0 && numbers.every((x) => x === 0 || x === 1)
    ? { value: right / numbers.length, ...shareInterval({}, [right, numbers.length], options.confidence) }
    : meanInterval(numbers, options);
}

/**
 * Returns the mean of rows' numbers, or of differences between two models, with its 95 % BCa interval. Undefined
 * without rows.
 *
 * @example
 * ```ts
 * import { meanInterval } from "attune/kit";
 * const { value = 0, low = 1, high = 0 } = meanInterval([1, 0, -1, 1, 1]) ?? {};
 * console.assert(value === 0.4 && low < 0.4 && high > 0.4);
 * ```
 */
export function meanInterval(
  numbers: readonly number[],
  options: ResamplingOptions = usualResampling(),
): MeanInterval | undefined {
  if (numbers.length === 0) return undefined;
  const value = numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const counts = resamplesOf(numbers.length, options.random);
  const replicates = Array.from({ length: options.samples }, (_, sample) => {
    const times = counts(sample);
    return numbers.reduce((total, x, i) => total + (times[i] ?? 0) * x, 0) / numbers.length;
  });
  const sums = { sums: Float64Array.from(numbers), counts: new Float64Array(numbers.length).fill(1) };
  const bounds = boundsOf(value, replicates, withoutEach(sums), options);
  return bounds && { value, ...bounds };
}

/** The difference of one value between two models. */
export type Difference = Readonly<{
  first: number;
  second: number;
  difference: number;
  interval?: ValueInterval;
  /** For a mean: p-value of the difference, from flipping the signs of rows at random. */
  p?: number;
}>;

/**
 * Returns the differences of values (second model minus first) with intervals, over the same resampled rows of both.
 *
 * @throws AttuneError if the models were not measured on the same rows.
 */
export function differencesOf(
  first: MetricStatistics,
  second: MetricStatistics,
  options: ResamplingOptions,
): Named<Difference> {
  const share = Math.min(first.share, second.share);
  const [a, b] = [first.units(share), second.units(share)];
  checkPaired(first, a, second, b);
  const keys = Object.keys(first.values).filter((key) =>
    typeof first.values[key] === "number" && typeof second.values[key] === "number" && !isCount(key)
  );
  const replicates = replicatesOf([a, b], keys, options, ([x = {}, y = {}], key) => {
    const [from, to] = [x[key], y[key]];
    return typeof from === "number" && typeof to === "number" ? to - from : null;
  });
  return Object.fromEntries(keys.map((key): [string, Difference] => {
    const [x, y] = [first.values[key] ?? 0, second.values[key] ?? 0];
    const [from, to] = [withoutEach(a.means[key]), withoutEach(b.means[key])];
    const without = from && to?.map((value, i) => value - (from[i] ?? NaN));
    // For proportions of independent rows, McNemar's test gives the p-value.
    const p = without && (first.clustered || !first.shares[key])
      ? chanceOf(y - x, share, gapsOf(a.means[key], b.means[key]), options)
      : undefined;
    const bounds = boundsOf(y - x, replicates[key], without, options);
    const interval = bounds && { ...bounds, ...(bounds.low === bounds.high ? { rough: true } : {}) };
    return [key, {
      first: x,
      second: y,
      difference: y - x,
      ...(interval ? { interval } : {}),
      ...(p === undefined ? {} : { p }),
    }];
  }));
}

/** Returns the values of each key in the resamples that have it. */
function replicatesOf(
  units: readonly KeptUnits[],
  keys: readonly string[],
  { samples, random }: ResamplingOptions,
  of: (values: readonly Named<number | null>[], key: string) => number | null,
): Named<readonly number[]> {
  const counts = resamplesOf(units[0]?.names.length ?? 0, random);
  const replicates: Record<string, number[]> = Object.fromEntries(keys.map((key) => [key, []]));
  for (let sample = 0; sample < samples; sample++) {
    const times = counts(sample);
    const values = units.map((unit) => unit.compute(times));
    for (const key of keys) {
      const value = of(values, key);
      if (value !== null) replicates[key]?.push(value);
    }
  }
  return replicates;
}

/** Whether a path is the count of a group. */
function isCount(path: string): boolean {
  return path.endsWith("\u0000count");
}

function checkPaired(first: MetricStatistics, a: KeptUnits, second: MetricStatistics, b: KeptUnits): void {
  const isSame = first.rows === second.rows && a.names.length === b.names.length;
  if (isSame && a.names.every((name, i) => name === b.names[i])) return;
  const actual = `${second.rows} rows, the first ${b.names.slice(0, 3)}`;
  throw badValue("evaluate", "--compare", actual, `the same rows in both, ${first.rows} of them`);
}

function shareInterval(
  { metric }: Partial<MetricStatistics>,
  [right, of]: readonly [right: number, of: number],
  confidence?: number,
): ValueInterval {
  const [low = 0, high = 0] = wilson(right, of, confidence).map((bound) => (metric?.percent ? 100 : 1) * bound);
  return { low, high, method: "wilson", ...(Math.min(right, of - right) < ROUGH ? { rough: true } : {}) };
}

/** Returns the mean without each unit (NaN if nothing is left); undefined if the value is not a mean. */
function withoutEach(units: UnitSums | undefined): Float64Array | undefined {
  if (!units) return undefined;
  const sum = units.sums.reduce((a, b) => a + b, 0);
  const count = units.counts.reduce((a, b) => a + b, 0);
  return units.sums.map((value, i) => (sum - value) / (count - (units.counts[i] ?? 0)));
}

/** Returns the differences of units in which equally many rows have a number in both models, and their rows. */
function gapsOf(a: UnitSums | undefined, b: UnitSums | undefined): Readonly<{ gaps: readonly number[]; rows: number }> {
  const same = Array.from(b?.sums ?? [], (_, i) => i).filter((i) =>
    (a?.counts[i] ?? 0) > 0 && a?.counts[i] === b?.counts[i]
  );
  return {
    gaps: same.map((i) => (b?.sums[i] ?? 0) - (a?.sums[i] ?? 0)),
    rows: same.reduce((sum, i) => sum + (b?.counts[i] ?? 0), 0),
  };
}

/** Returns the p-value of a mean difference: by flipping units' signs, or for a sample of units by the normal limit. */
function chanceOf(
  difference: number,
  share: number,
  { gaps, rows }: ReturnType<typeof gapsOf>,
  { random, samples }: ResamplingOptions,
): number {
  if (share === 1) return signPermutation(gaps, random, samples);
  const spread = Math.sqrt(share * gaps.reduce((sum, gap) => sum + gap * gap, 0)) / rows;
  return spread > 0 ? 2 * normalShare(-Math.abs(difference) / spread) : 1;
}

/** Returns the interval of replicates; undefined unless most resamples have one. */
function boundsOf(
  value: number,
  replicates: readonly number[] | undefined,
  without: Float64Array | undefined,
  { samples, confidence = 0.95 }: ResamplingOptions,
): ValueInterval | undefined {
  if (!replicates || replicates.length * 2 <= samples) return undefined;
  const sorted = Float64Array.from(replicates).sort();
  const jackknife = without?.filter(Number.isFinite);
  const isMean = jackknife !== undefined && jackknife.length > 1;
  const [low, high] = isMean
    ? bcaInterval(value, sorted, jackknife, confidence)
    : percentileInterval(sorted, confidence);
  return { low, high, method: isMean ? "bca" : "percentile" };
}
