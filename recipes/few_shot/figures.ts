/**
 * Means of several draws, with intervals.
 * @module
 */

/** What one method came to with rows of one number. */
export type Figure = Readonly<
  { method: string; size: number; accuracies: readonly number[]; mean: number; low: number; high: number }
>;

/** The 97.5 % quantiles of Student's t by degrees of freedom, from 1; further on the normal's is near enough. */
const QUANTILES: readonly number[] = [
  12.706,
  4.303,
  3.182,
  2.776,
  2.571,
  2.447,
  2.365,
  2.306,
  2.262,
  2.228,
  2.201,
  2.179,
  2.16,
  2.145,
  2.131,
  2.12,
  2.11,
  2.101,
  2.093,
];

/** The mean of accuracies and its 95 % interval by Student's t, within 0 and 1; of one value that value alone. */
export function meanWithInterval(values: readonly number[]): Pick<Figure, "mean" | "low" | "high"> {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n < 2) return { mean, low: mean, high: mean };
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
  const reach = (QUANTILES[n - 2] ?? 2.09) * Math.sqrt(variance / n);
  return { mean, low: Math.max(0, mean - reach), high: Math.min(1, mean + reach) };
}
