/**
 * The slices of the rows where a model is worst, with what having searched for them costs.
 * @module
 */
import { createRandom } from "../math/random.ts";
import { normalShare } from "../statistics/normal.ts";
import { benjaminiHochberg, holm } from "../statistics/significance.ts";
import type { MetricStatistics } from "../statistics/metric_statistics.ts";
import type { RowTable } from "./row_table.ts";

/** Rows with one value of a column. */
export type Slice = Readonly<{
  column: string;
  value: string;
  count: number;
  score: number;
  /** Of all other rows. */
  others: number;
  /** That they differ by chance alone; corrected by Holm for having searched ("these differ"), and by Benjamini and Hochberg. */
  p: number;
  holm: number;
  benjaminiHochberg: number;
  /** The score on the rows that did not rank it: those of one half rank slices, these are of the other. */
  heldOut?: Readonly<{ count: number; score: number }>;
}>;

/** The worst slices; `drawn`: of how many rows, where these are a sample. */
export type WorstSlices = Readonly<{ metric: string; searched: number; drawn?: number; slices: readonly Slice[] }>;

/** Rows that a slice has at least, and slices that are told. */
const [LEAST, TOLD] = [10, 20];

/**
 * Searches columns and lengths for the slices with the worst mean of the first metric that is a mean; undefined without one.
 * `statistics`: their units are rows.
 */
export function worstSlices(statistics: readonly MetricStatistics[], table: RowTable): WorstSlices | undefined {
  const [first] = statistics.flatMap((statistic) => {
    const [mean] = statistic.metric.columns ? [] : Object.entries(statistic.units().means);
    return mean ? [{ own: statistic, key: mean[0], scores: mean[1] }] : [];
  });
  if (!first) return undefined;
  const { own: ranked, key, scores } = first;
  const { names, share } = ranked.units();
  const coin = createRandom(42).fork("halves");
  const ranks = names.map((row) => coin.uniform(Number(row)) < 0.5);
  const candidates = table.columns().flatMap(({ name, values, of }) =>
    values.flatMap((value, id) => {
      const [inside, outside] = [moments(), moments()];
      const [ranking, slice] = [moments(), moments()];
      names.forEach((row, i) => {
        if (!scores.counts[i]) return;
        const score = (scores.sums[i] ?? 0) / scores.counts[i];
        const isInside = of.get(Number(row)) === id;
        (isInside ? inside : outside).add(score);
        if (isInside) (ranks[i] ? ranking : slice).add(score);
      });
      if (inside.count() < LEAST || outside.count() < LEAST) return [];
      const spread = Math.sqrt(inside.variance() / inside.count() + outside.variance() / outside.count());
      const gap = inside.mean() - outside.mean();
      const p = spread > 0 ? 2 * normalShare(-Math.abs(gap) / spread) : gap === 0 ? 1 : 0;
      return [{
        column: name,
        value,
        count: inside.count(),
        score: inside.mean(),
        others: outside.mean(),
        p,
        rank: ranking.count() > 0 ? ranking.mean() : inside.mean(),
        ...(slice.count() > 0 ? { heldOut: { count: slice.count(), score: slice.mean() } } : {}),
      }];
    })
  );
  const ps = candidates.map(({ p }) => p);
  const [h, bh] = [holm(ps), benjaminiHochberg(ps)];
  const sign = ranked.metric.greaterIsBetter ? 1 : -1;
  const slices = candidates
    .map(({ rank, ...slice }, i) => ({ rank, slice: { ...slice, holm: h[i] ?? 1, benjaminiHochberg: bh[i] ?? 1 } }))
    .sort((a, b) => sign * (a.rank - b.rank))
    .map(({ slice }) => slice);
  const sample = share < 1 ? { drawn: names.length } : {};
  return { metric: key, searched: candidates.length, ...sample, slices: slices.slice(0, TOLD) };
}

type Moments = Readonly<{ add(x: number): void; count(): number; mean(): number; variance(): number }>;

/** A running mean and variance (Welford 1962). */
function moments(): Moments {
  let [n, mean, squares] = [0, 0, 0];
  return {
    add: (x) => {
      n++;
      const gap = x - mean;
      mean += gap / n;
      squares += gap * (x - mean);
    },
    count: () => n,
    mean: () => mean,
    variance: () => (n > 1 ? squares / (n - 1) : 0),
  };
}
