/** Significance of differences: McNemar's test, sign permutations, and corrections for multiple tests. */
import { exp, log } from "../math/math.ts";
import type { Random } from "../types.ts";
import { normalShare } from "./normal.ts";

/** The result of McNemar's test (1947) of two models over the same rows. */
export type McNemar = Readonly<{
  onlyFirstRight: number;
  onlySecondRight: number;
  /** p of the exact test, and its mid-p; to be used if only one model is right in fewer than 25 rows. */
  exact: number;
  midP: number;
  /** χ² with Edwards' correction, its p, and the p without the correction. */
  statistic: number;
  corrected: number;
  uncorrected: number;
}>;

/** Computes McNemar's test. `onlyFirstRight`: number of rows that only the first model has right. */
export function mcnemar(onlyFirstRight: number, onlySecondRight: number): McNemar {
  const [n, least] = [onlyFirstRight + onlySecondRight, Math.min(onlyFirstRight, onlySecondRight)];
  const counts = { onlyFirstRight, onlySecondRight };
  if (n === 0) return { ...counts, exact: 1, midP: 1, statistic: 0, corrected: 1, uncorrected: 1 };
  // ln of C(n, k) / 2ⁿ, for k = 0, 1, ...
  let ln = -n * Math.LN2;
  let [sum, at] = [0, 0];
  for (let k = 0; k <= least; k++) {
    at = exp(ln);
    sum += at;
    ln += log((n - k) / (k + 1));
  }
  const exact = Math.min(1, 2 * sum);
  const midP = onlyFirstRight === onlySecondRight ? 1 - at / 2 : exact - at;
  const gap = Math.abs(onlyFirstRight - onlySecondRight);
  const statistic = (gap - 1) ** 2 / n;
  return {
    ...counts,
    exact,
    midP,
    statistic,
    corrected: chiSquaredTail(statistic),
    uncorrected: chiSquaredTail(gap * gap / n),
  };
}

/** Returns the upper tail of χ² with one degree of freedom. */
function chiSquaredTail(value: number): number {
  return value <= 0 ? 1 : 2 * normalShare(-Math.sqrt(value));
}

/** Number of differences up to which all combinations of signs are tried. */
const ALL_SIGNS = 16;

/**
 * Returns the p-value of a mean difference under random signs: over all combinations for up to 16 differences,
 * otherwise over `samples` random ones.
 */
export function signPermutation(differences: readonly number[], random: Random, samples = 10_000): number {
  const n = differences.length;
  const total = Math.abs(differences.reduce((a, b) => a + b, 0));
  const size = differences.reduce((a, b) => a + Math.abs(b), 0);
  const reaches = (sum: number): boolean => Math.abs(sum) >= total - 1e-12 * size;
  if (n === 0) return 1;
  if (n <= ALL_SIGNS) {
    let count = 0;
    for (let signs = 0; signs < 2 ** n; signs++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (signs >> i) & 1 ? differences[i] ?? 0 : -(differences[i] ?? 0);
      if (reaches(sum)) count++;
    }
    return count / 2 ** n;
  }
  let count = 0;
  for (let s = 0; s < samples; s++) {
    const stream = random.fork("signs", s);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += stream.uniform(i) < 0.5 ? differences[i] ?? 0 : -(differences[i] ?? 0);
    if (reaches(sum)) count++;
  }
  return (1 + count) / (1 + samples);
}

/** Returns p-values with Holm's correction (1979), which controls the probability of any false positive. */
export function holm(p: readonly number[]): number[] {
  const out = p.map(() => 1);
  let most = 0;
  ascending(p).forEach((i, rank) => {
    most = Math.max(most, (p[i] ?? 1) * (p.length - rank));
    out[i] = Math.min(1, most);
  });
  return out;
}

/** Returns p-values with Benjamini and Hochberg's correction (1995), which controls the share of false positives. */
export function benjaminiHochberg(p: readonly number[]): number[] {
  const out = p.map(() => 1);
  const order = ascending(p);
  let least = 1;
  for (let rank = order.length - 1; rank >= 0; rank--) {
    const i = order[rank] ?? 0;
    least = Math.min(least, (p[i] ?? 1) * p.length / (rank + 1));
    out[i] = least;
  }
  return out;
}

function ascending(p: readonly number[]): number[] {
  return p.map((_, i) => i).sort((a, b) => (p[a] ?? 0) - (p[b] ?? 0) || a - b);
}
