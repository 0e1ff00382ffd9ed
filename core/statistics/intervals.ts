/** Intervals of proportions, and of values with bootstrap replicates. */
import { normalQuantile, normalShare } from "./normal.ts";

/** Bounds of an interval. */
export type Bounds = readonly [low: number, high: number];

/** The interval of a metric's value; null if the value is undefined in most resamples. */
export type Interval = Readonly<{ low: number | null; high: number | null }>;

/** Returns Wilson's interval (1927) of a proportion; [0, 1] without trials. */
export function wilson(successes: number, trials: number, confidence = 0.95): Bounds {
  if (trials === 0) return [0, 1];
  const z = normalQuantile((1 + confidence) / 2);
  const [p, z2] = [successes / trials, z * z];
  const center = (p + z2 / (2 * trials)) / (1 + z2 / trials);
  const half = z / (1 + z2 / trials) * Math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials));
  return [successes === 0 ? 0 : center - half, successes === trials ? 1 : center + half];
}

/**
 * Returns a quantile with linear interpolation, like numpy. `sorted`: values in ascending order.
 *
 * @example
 * ```ts
 * import { quantileOf } from "attune/kit";
 * console.assert(quantileOf([1, 2, 4], 0.75) === 3);
 * ```
 */
export function quantileOf(sorted: ArrayLike<number>, q: number): number {
  const at = Math.min(1, Math.max(0, q)) * (sorted.length - 1);
  const below = Math.floor(at);
  const a = sorted[below] ?? NaN;
  const b = sorted[below + 1] ?? a;
  return a + (b - a) * (at - below);
}

/** Returns the percentile interval (Efron 1979). `sorted`: replicates in ascending order. */
export function percentileInterval(sorted: ArrayLike<number>, confidence = 0.95): Bounds {
  const tail = (1 - confidence) / 2;
  return [quantileOf(sorted, tail), quantileOf(sorted, 1 - tail)];
}

/**
 * Returns the bias-corrected and accelerated interval (Efron 1987), or the percentile interval if all replicates are on
 * one side of the value. `sorted`: replicates in ascending order; `jackknife`: the value without each row.
 */
export function bcaInterval(
  value: number,
  sorted: ArrayLike<number>,
  jackknife: ArrayLike<number>,
  confidence = 0.95,
): Bounds {
  let [below, equal, mean, squares, cubes] = [0, 0, 0, 0, 0];
  for (let i = 0; i < sorted.length; i++) {
    if ((sorted[i] ?? 0) < value) below++;
    else if (sorted[i] === value) equal++;
  }
  for (let i = 0; i < jackknife.length; i++) mean += (jackknife[i] ?? 0) / jackknife.length;
  for (let i = 0; i < jackknife.length; i++) {
    const u = mean - (jackknife[i] ?? 0);
    squares += u * u;
    cubes += u * u * u;
  }
  const z0 = normalQuantile((below + equal / 2) / sorted.length);
  const acceleration = squares > 0 ? cubes / (6 * squares ** 1.5) : 0;
  if (!Number.isFinite(z0)) return percentileInterval(sorted, confidence);
  const level = (tail: number): number => {
    const z = z0 + normalQuantile(tail);
    return normalShare(z0 + z / (1 - acceleration * z));
  };
  return [quantileOf(sorted, level((1 - confidence) / 2)), quantileOf(sorted, level((1 + confidence) / 2))];
}
