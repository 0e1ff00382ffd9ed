/**
 * Importance of each searched option by PED-ANOVA (Watanabe et al. 2023, "PED-ANOVA: Efficiently quantifying
 * hyperparameter importance in arbitrary subspaces"), in its conditional form for options that not all trials have. It
 * compares the distribution of the best trials with that of all trials.
 */
import { exp, log, pow } from "../math/math.ts";
import { logNormalMass } from "./truncated_normal.ts";
import type { Json, Named, Space, Study, Trial } from "../types.ts";

/** Number of grid points of a range on which densities are compared. */
const POINTS = 50;
/** Minimum number of trials that have an option; with fewer, its importance is unknown. */
const FEWEST = 2;

/**
 * Returns the unscaled importance of each option by path; 0 if unknown. `share`: share of trials that count as the
 * best.
 */
export function importancesOf(
  { space, direction, trials }: Pick<Study, "space" | "direction" | "trials">,
  share = 0.1,
): Named<number> {
  const sign = direction === "maximize" ? -1 : 1;
  const all = trials.filter(({ state, value }) => state === "complete" && value !== null);
  const loss = ({ value }: Trial): number => sign * Number(value);
  const cutoff = all.map(loss).sort((a, b) => a - b)[Math.ceil(share * all.length) - 1] ?? -Infinity;
  const best = new Set(all.filter((trial) => loss(trial) <= cutoff));
  return Object.fromEntries(
    Object.entries(space).map(([path, range]) => {
      const having = all.filter(({ params }) => Object.hasOwn(params, path));
      const good = having.filter((trial) => best.has(trial));
      const isFixed = range.type === "categorical" ? range.choices.length < 2 : range.low === range.high;
      if (isFixed || having.length < FEWEST || good.length === 0) return [path, 0];
      const values = (trials: readonly Trial[]): Json[] => trials.map(({ params }) => params[path] ?? null);
      const [top, local] = [densityOf(values(good), range), densityOf(values(having), range)];
      const divergence = top.reduce((sum, p, i) => sum + (local[i] ?? 0) * (p / (local[i] ?? 1) - 1) ** 2, 0);
      const weight = (good.length / best.size) ** 2 / (having.length / all.length);
      return [path, weight * divergence * (best.size / all.length) ** 2];
    }),
  );
}

/** Scales importances to a sum of 1; equal shares if nothing mattered. */
export function importanceShares(importances: Named<number>): Named<number> {
  const entries = Object.entries(importances);
  const total = entries.reduce((sum, [, value]) => sum + value, 0);
  return Object.fromEntries(entries.map(([path, value]) => [path, total > 0 ? value / total : 1 / entries.length]));
}

/** Returns the density at each point of an option's grid, by kernels around the observed values. */
function densityOf(values: readonly Json[], range: Space): readonly number[] {
  const counts = range.type === "categorical"
    ? choiceCounts(values, range.choices)
    : gridCounts(values.map(Number), range);
  const at = counts.flatMap((count, i) => (count > 0 ? [i] : []));
  const weights = at.map((i) => counts[i] ?? 0);
  const total = values.length + 1;
  const kernel = range.type === "categorical"
    ? choiceKernel(at, counts.length)
    : normalKernel(at, weights, counts.length);
  return counts.map((_, i) => {
    const sum = [...weights, 1].reduce((sum, weight, k) => sum + weight / total * kernel(k, i), 0);
    return sum + 1e-12;
  });
}

function choiceCounts(values: readonly Json[], choices: readonly Json[]): number[] {
  const keys = values.map((value) => JSON.stringify(value));
  return choices.map((choice) => keys.filter((key) => key === JSON.stringify(choice)).length);
}

function choiceKernel(at: readonly number[], choices: number): (kernel: number, i: number) => number {
  const prior = 1 / (at.length + 1);
  const total = 1 + prior * choices;
  return (kernel, i) => (kernel === at.length ? 1 / choices : (prior + (at[kernel] === i ? 1 : 0)) / total);
}

function gridCounts(numbers: readonly number[], range: Exclude<Space, { type: "categorical" }>): number[] {
  const { type, log: byLog = false } = range;
  const step = range.step ?? (type === "int" ? 1 : undefined);
  const values = byLog && type === "int"
    ? Math.ceil(log(range.high - range.low + 1) / Math.LN2 - 1e-12) + 1
    : step === undefined || byLog
    ? POINTS
    : Math.round((range.high - range.low) / step) + 1;
  const points = Math.min(values, POINTS);
  const scaled = (x: number): number => (byLog ? log(x) : x);
  const [low, high] = [scaled(range.low), scaled(range.high)];
  const width = (high - low) / (points - 1);
  const counts = new Array<number>(points).fill(0);
  for (const x of numbers) {
    const at = Math.min(points - 1, Math.max(0, Math.ceil((scaled(x) - low) / width - 0.5)));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

/** Returns normal kernels truncated to the grid, with the width of Scott's rule, and one wide prior kernel. */
function normalKernel(
  at: readonly number[],
  weights: readonly number[],
  points: number,
): (kernel: number, i: number) => number {
  const total = weights.reduce((a, b) => a + b, 0);
  const mean = at.reduce((sum, x, i) => sum + x * (weights[i] ?? 0), 0) / total;
  const squares = at.reduce((sum, x, i) => sum + (x - mean) ** 2 * (weights[i] ?? 0), 0);
  let running = 0;
  const upTo = weights.map((weight) => running += weight);
  const first = upTo.findIndex((sum) => sum >= Math.floor(total / 4));
  const third = upTo.findIndex((sum) => sum > Math.floor(total * 3 / 4));
  const spread = (at[third < 0 ? at.length - 1 : third] ?? 0) - (at[first] ?? 0);
  const scott = 1.059 * Math.min(spread / 1.34, Math.sqrt(squares / Math.max(1, total - 1))) * pow(total, -0.2);
  // At least wide enough that nine tenths of a kernel are in its own cell.
  const width = Math.max(scott, 0.5 / 1.64);
  const [low, high] = [-0.5, points - 0.5];
  return (kernel, i) => {
    const [mu, sigma] = kernel === at.length ? [(points - 1) / 2, points] : [at[kernel] ?? 0, width];
    const z = (x: number): number => (x - mu) / sigma;
    return exp(logNormalMass(z(i - 0.5), z(i + 0.5)) - logNormalMass(z(low), z(high)));
  };
}
