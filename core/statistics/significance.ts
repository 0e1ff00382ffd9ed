/** Whether a difference is more than chance: McNemar's test, permutations of signs, corrections of many tests. */
import { exp, log } from "../math/math.ts";
import type { Random } from "../types.ts";
import { normalShare } from "./normal.ts";

/** What McNemar's test (1947) says of two models over the same rows. */
export type McNemar = Readonly<{
  onlyFirstRight: number;
  onlySecondRight: number;
  /** The exact test's p, and its mid-p; to be used below 25 rows that only one model has right. */
  exact: number;
  midP: number;
  /** χ² with Edwards' correction, its p, and the p without the correction. */
  statistic: number;
  corrected: number;
  uncorrected: number;
}>;

/** McNemar's test. `onlyFirstRight`: how many rows only the first model has right. */
export function mcnemar(onlyFirstRight: number, onlySecondRight: number): McNemar {
  const [n, least] = [onlyFirstRight + onlySecondRight, Math.min(onlyFirstRight, onlySecondRight)];
  const counts = { onlyFirstRight, onlySecondRight };
  if (n === 0) return { ...counts, exact: 1, midP: 1, statistic: 0, corrected: 1, uncorrected: 1 };
  // ln of C(n, k) / 2ⁿ, one k after the other.
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

/** The share of χ² with one degree of freedom above a value. */
function chiSquaredTail(value: number): number {
  return value <= 0 ? 1 : 2 * normalShare(-Math.sqrt(value));
}

/** Differences up to which all signs are tried. */
const ALL_SIGNS = 16;

/**
 * How likely a mean at least as far from 0 is where the sign of each difference is chance: all signs of up to 16, else
 * `samples` random ones.
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

/** Holm's correction (1979): that any of those below a level is chance is as unlikely as the level says. */
export function holm(p: readonly number[]): number[] {
  const out = p.map(() => 1);
  let most = 0;
  ascending(p).forEach((i, rank) => {
    most = Math.max(most, (p[i] ?? 1) * (p.length - rank));
    out[i] = Math.min(1, most);
  });
  return out;
}

/** Benjamini and Hochberg's correction (1995): of those below a level at most its share is chance. */
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
