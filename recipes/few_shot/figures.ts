/** Means of several draws, with intervals. */
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";

/** What one method came to with rows of one number. */
export type Figure = Readonly<
  { method: string; size: number; accuracies: readonly number[]; mean: number; low: number; high: number }
>;

/** The mean of accuracies and its 95 % interval by Student's t, within 0 and 1; of one value that value alone. */
export function meanWithInterval(values: readonly number[]): Pick<Figure, "mean" | "low" | "high"> {
  const [first = NaN] = values;
  if (values.length < 2) return { mean: first, low: first, high: first };
  // Every draw has rows of its own: nothing is to be corrected.
  const { mean, low, high } = correctedInterval({ values, trainRows: 1, testRows: 0 });
  return { mean, low: Math.max(0, low), high: Math.min(1, high) };
}
