/**
 * The mean of a metric over folds, with the corrected resampled interval (Nadeau & Bengio 2003, "Inference for the
 * generalization error"), since folds share training rows and their metrics vary too little.
 */

/** A metric's values over folds, and the numbers of training and test rows of a fold. */
export type FoldFigures = Readonly<{ values: readonly number[]; trainRows: number; testRows: number }>;

/** The mean with its interval. `p`: two-sided p-value of the mean being 0. */
export type CorrectedInterval = Readonly<{
  mean: number;
  standardError: number;
  t: number;
  degrees: number;
  p: number;
  low: number;
  high: number;
}>;

/**
 * Returns the mean of a metric over folds with its interval by Student's t.
 *
 * @example
 * ```ts
 * import { correctedInterval } from "attune";
 * const { low, mean, high } = correctedInterval({ values: [0.8, 0.82, 0.78], trainRows: 200, testRows: 100 });
 * console.assert(low < mean && mean < high);
 * ```
 */
export function correctedInterval({ values, trainRows, testRows }: FoldFigures, confidence = 0.95): CorrectedInterval {
  const m = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / m;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (m - 1);
  const standardError = Math.sqrt((1 / m + testRows / trainRows) * variance);
  const degrees = m - 1;
  const t = mean / standardError;
  const reach = within(confidence, degrees) * standardError;
  return { mean, standardError, t, degrees, p: 1 - shareWithin(t, degrees), low: mean - reach, high: mean + reach };
}

/** Returns the share of Student's t distribution (integer degrees of freedom) within ±t, by its finite series. */
function shareWithin(t: number, degrees: number): number {
  const angle = Math.atan(Math.abs(t) / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const square = cosine * cosine;
  const isOdd = degrees % 2 === 1;
  let term = isOdd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let k = isOdd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= square * (k - 1) / k;
    sum += term;
  }
  return isOdd ? 2 / Math.PI * (angle + sine * sum) : sine * sum;
}

/** Returns the t for which a share of the distribution lies within ±t, by bisection. */
function within(share: number, degrees: number): number {
  let [low, high] = [0, 1];
  while (shareWithin(high, degrees) < share) high *= 2;
  for (let turn = 0; turn < 200 && high - low > 1e-15 * high; turn++) {
    const middle = (low + high) / 2;
    if (shareWithin(middle, degrees) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
