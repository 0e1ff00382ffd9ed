/**
 * Bootstrap intervals of means: rows are resampled as counts of equal values, which costs the same for any number of rows.
 * @module
 */
import type { Random } from "../../core/math/random.ts";
import { quantileOf } from "../../core/statistics/intervals.ts";

/** A mean with its percentile interval. */
export type Interval = Readonly<{ value: number; low: number; high: number }>;

/** Values beyond which neighbours are taken together. */
const CELLS = 256;

/**
 * The mean of `values` and its percentile bootstrap interval (Efron 1979); undefined where there are no values. 0/1
 * values, and differences of them, are resampled exactly; of more than 256 different ones, neighbours share a cell.
 */
export function meanInterval(
  values: readonly number[],
  random: Random,
  samples = 1000,
  confidence = 0.95,
): Interval | undefined {
  if (values.length === 0) return undefined;
  const cells = cellsOf(values);
  const rows = values.length;
  const means: number[] = [];
  let drawn = 0;
  for (let sample = 0; sample < samples; sample++) {
    // A multinomial draw, cell by cell: what is left of the rows, by what is left of the probability.
    let [left, weight, sum] = [rows, rows, 0];
    for (const [i, cell] of cells.entries()) {
      const last = i === cells.length - 1;
      const count = last ? left : binomial(left, cell.count / weight, random.uniform(drawn++));
      sum += count * cell.mean;
      left -= count;
      weight -= cell.count;
    }
    means.push(sum / rows);
  }
  means.sort((a, b) => a - b);
  const tail = (1 - confidence) / 2;
  const value = cells.reduce((sum, cell) => sum + cell.count * cell.mean, 0) / rows;
  return { value, low: quantileOf(means, tail), high: quantileOf(means, 1 - tail) };
}

/**
 * The number of successes in n trials for a uniform `u`, by inversion from the mode outwards: about √n additions, and no
 * underflow where n is large.
 */
export function binomial(n: number, p: number, u: number): number {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const peak = Math.exp(
    logFactorial(n) - logFactorial(mode) - logFactorial(n - mode) + mode * Math.log(p) + (n - mode) * Math.log1p(-p),
  );
  const odds = p / (1 - p);
  let [low, high, atLow, atHigh, left] = [mode, mode, peak, peak, u - peak];
  while (left > 0 && (low > 0 || high < n)) {
    atLow = low > 0 ? atLow * (low / (n - low + 1)) / odds : 0;
    atHigh = high < n ? atHigh * ((n - high) / (high + 1)) * odds : 0;
    if (low > 0) low--;
    if (high < n) high++;
    if (atLow === 0 && atHigh === 0) return mode;
    if ((left -= atHigh) <= 0) return high;
    if ((left -= atLow) <= 0) return low;
  }
  return mode;
}

function cellsOf(values: readonly number[]): readonly Readonly<{ mean: number; count: number }>[] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  if (counts.size <= CELLS) return [...counts].map(([mean, count]) => ({ mean, count }));
  const sorted = values.toSorted((a, b) => a - b);
  return Array.from({ length: CELLS }, (_, i) => {
    const part = sorted.slice(Math.floor(i * sorted.length / CELLS), Math.floor((i + 1) * sorted.length / CELLS));
    return { mean: part.reduce((sum, value) => sum + value, 0) / part.length, count: part.length };
  });
}

/** ln n!, by Stirling's series from 16 on (an error below 1e-12). */
function logFactorial(n: number): number {
  if (n < 16) {
    let product = 1;
    for (let i = 2; i <= n; i++) product *= i;
    return Math.log(product);
  }
  const x = n + 1;
  return (x - 0.5) * Math.log(x) - x + 0.9189385332046727 + 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
}
