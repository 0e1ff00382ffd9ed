/** Means over several draws, with intervals. */
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";

/** Results of one method with one number of rows. */
export type Figure = Readonly<
  { method: string; size: number; accuracies: readonly number[]; mean: number; low: number; high: number }
>;

/** Returns the mean of accuracies and its 95 % interval by Student's t, clipped to [0, 1]; just the value if single. */
export function meanWithInterval(values: readonly number[]): Pick<Figure, "mean" | "low" | "high"> {
  const [first = NaN] = values;
  if (values.length < 2) return { mean: first, low: first, high: first };
  // Draws have separate rows, so the interval needs no correction.
  const { mean, low, high } = correctedInterval({ values, trainRows: 1, testRows: 0 });
  return { mean, low: Math.max(0, low), high: Math.min(1, high) };
}
