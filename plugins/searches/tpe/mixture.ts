/** Mixtures of kernels over several options, one for each trial and a prior, which TPE samples and compares. */
import { nearestIn, type NumericSpace, stepOf } from "../../../blocks/search/mod.ts";
import { exp, log } from "../../../core/math/math.ts";
import { logNormalDensity, logNormalMass, truncatedQuantile } from "../../../core/statistics/truncated_normal.ts";
import type { Json, Named, Random, Space, Trial } from "../../../core/types.ts";

/** The kernels of one option: truncated normals, or probabilities of choices. */
export type Dimension =
  | Readonly<
    { means: readonly number[]; deviations: readonly number[]; low: number; high: number; space: NumericSpace }
  >
  | Readonly<{ shares: readonly (readonly number[])[]; choices: readonly Json[] }>;

/** A mixture: weights of the kernels, with the prior last, and each kernel's form for every option. */
export type Mixture = Readonly<{ weights: readonly number[]; dimensions: Named<Dimension> }>;

/** The number of latest trials whose kernels have the full weight. */
const FULL_WEIGHT = 25;

/** Returns the mixture of trials that have all of these options. */
export function mixtureOf(trials: readonly Trial[], space: Named<Space>): Mixture {
  const names = Object.keys(space);
  const having = trials.filter(({ params }) => names.every((name) => Object.hasOwn(params, name)));
  const raw = [...weightsOf(having.length), 1];
  const total = raw.reduce((a, b) => a + b, 0);
  return {
    weights: raw.map((weight) => weight / total),
    dimensions: Object.fromEntries(
      Object.entries(space).map(([name, range]) => {
        const seen = having.map(({ params }) => params[name] ?? null);
        return [
          name,
          range.type === "categorical" ? sharesOf(seen, range.choices) : normalsOf(seen.map(Number), range),
        ];
      }),
    ),
  };
}

/** Returns the weights of n trials; older trials weigh less. */
function weightsOf(n: number): number[] {
  const older = n - FULL_WEIGHT;
  if (older <= 0) return Array.from({ length: n }, () => 1);
  const step = older === 1 ? 0 : (1 - 1 / n) / (older - 1);
  return Array.from({ length: n }, (_, i) => (i < older ? 1 / n + i * step : 1));
}

function sharesOf(seen: readonly Json[], choices: readonly Json[]): Dimension {
  const keys = choices.map((choice) => JSON.stringify(choice));
  const prior = 1 / (seen.length + 1);
  const total = 1 + prior * choices.length;
  const rows = seen.map((value) => {
    const chosen = JSON.stringify(value);
    return keys.map((key) => (prior + (key === chosen ? 1 : 0)) / total);
  });
  return { shares: [...rows, choices.map(() => 1 / choices.length)], choices };
}

function normalsOf(seen: readonly number[], range: NumericSpace): Dimension {
  const [low, high] = [scaled(range, edge(range, range.low, -1)), scaled(range, edge(range, range.high, 1))];
  const means = seen.map((value) => scaled(range, value));
  const n = means.length;
  const order = means.map((_, i) => i).sort((a, b) => (means[a] ?? 0) - (means[b] ?? 0) || a - b);
  const sorted = [low, ...order.map((i) => means[i] ?? 0), high];
  const deviations = new Array<number>(n);
  const least = (high - low) / Math.min(100, n + 2);
  for (const [place, i] of order.entries()) {
    const left = (sorted[place + 1] ?? 0) - (sorted[place] ?? 0);
    const right = (sorted[place + 2] ?? 0) - (sorted[place + 1] ?? 0);
    const gap = n < 2 ? Math.max(left, right) : place === 0 ? right : place === n - 1 ? left : Math.max(left, right);
    deviations[i] = Math.min(high - low, Math.max(least, gap));
  }
  return { means: [...means, (low + high) / 2], deviations: [...deviations, high - low], low, high, space: range };
}

/** Returns the end of a value's own interval in a range with steps. */
function edge(range: NumericSpace, value: number, side: -1 | 1): number {
  const step = range.type === "int" ? range.step ?? 1 : stepOf(range);
  return step === undefined ? value : value + side * step / 2;
}

const scaled = ({ log: byLog = false }: NumericSpace, value: number): number => (byLog ? log(value) : value);

/** Returns the log density of a mixture at a candidate. */
export function logDensityAt({ weights, dimensions }: Mixture, candidate: Named<Json>): number {
  const sums = weights.map(log);
  for (const [name, dimension] of Object.entries(dimensions)) {
    const of = kernelsAt(dimension, candidate[name] ?? null);
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + of(i);
  }
  const most = sums.reduce((a, b) => Math.max(a, b), -Infinity);
  return most === -Infinity ? most : most + log(sums.reduce((sum, x) => sum + exp(x - most), 0));
}

/** Returns the log density of each kernel at a value. */
function kernelsAt(dimension: Dimension, value: Json): (kernel: number) => number {
  if ("shares" in dimension) {
    const key = JSON.stringify(value);
    const at = dimension.choices.findIndex((choice) => JSON.stringify(choice) === key);
    return (i) => log(dimension.shares[i]?.[at] ?? 0);
  }
  const { means, deviations, low, high, space } = dimension;
  const number = Number(value);
  const [from, to] = [scaled(space, edge(space, number, -1)), scaled(space, edge(space, number, 1))];
  return (i) => {
    const [mean, deviation] = [means[i] ?? 0, deviations[i] ?? 1];
    const at = (x: number): number => (x - mean) / deviation;
    const whole = logNormalMass(at(low), at(high));
    return from === to ? logNormalDensity(at(from)) - log(deviation) - whole : logNormalMass(at(from), at(to)) - whole;
  };
}

/** Draws candidates from a mixture. */
export function drawCandidates(mixture: Mixture, random: Random, count: number): readonly Named<Json>[] {
  const { weights, dimensions } = mixture;
  const kernels = random.fork("kernel");
  return Array.from({ length: count }, (_, i) => {
    const kernel = indexAt(weights, kernels.uniform(i));
    return Object.fromEntries(
      Object.entries(dimensions).map(([name, dimension]) => [
        name,
        drawKernel(dimension, kernel, random.fork("value", name).uniform(i)),
      ]),
    );
  });
}

function drawKernel(dimension: Dimension, kernel: number, u: number): Json {
  if ("shares" in dimension) return dimension.choices[indexAt(dimension.shares[kernel] ?? [], u)] ?? null;
  const { means, deviations, low, high, space } = dimension;
  const [mean, deviation] = [means[kernel] ?? 0, deviations[kernel] ?? 1];
  // A quantile of 0 is the end of the range: half of the finest step avoids it.
  const x = mean + deviation * truncatedQuantile(u + 2 ** -33, (low - mean) / deviation, (high - mean) / deviation);
  return nearestIn(space, space.log ? exp(x) : x);
}

/** Returns the index of the share that contains a number from 0 to 1. */
function indexAt(shares: readonly number[], u: number): number {
  let sum = 0;
  for (const [i, share] of shares.entries()) {
    sum += share;
    if (u < sum) return i;
  }
  return shares.length - 1;
}

/** Whether an option has only one value. */
export function isFixed(range: Space): boolean {
  return range.type === "categorical" ? range.choices.length < 2 : range.low === range.high;
}
