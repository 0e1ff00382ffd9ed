/**
 * The slices of the rows where a model is worst, with what having searched for them costs.
 * @module
 */
import { createRandom } from "../math/random.ts";
import { normalShare } from "../statistics/normal.ts";
import { benjaminiHochberg, holm } from "../statistics/significance.ts";
import type { MetricStatistics } from "./row_statistics.ts";
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

/** The worst slices. */
export type WorstSlices = Readonly<{ metric: string; searched: number; slices: readonly Slice[] }>;

/** Rows that a slice has at least, and slices that are told. */
const [LEAST, TOLD] = [10, 20];

/** Searches columns and lengths for the slices with the worst mean of the first metric that is a mean; undefined without one. */
export function worstSlices(statistics: readonly MetricStatistics[], table: RowTable): WorstSlices | undefined {
  const own = statistics.find(({ means, metric }) => !metric.columns && Object.keys(means).length > 0);
  const [key] = Object.keys(own?.means ?? {});
  if (!own || key === undefined) return undefined;
  const scores = own.means[key] ?? new Float64Array();
  const coin = createRandom(42).fork("halves");
  const ranks = Array.from(own.rows, (row) => coin.uniform(row) < 0.5);
  const found = table.columns().flatMap(({ name, values, of }) =>
    values.flatMap((value, id) => {
      const [inside, outside] = [moments(), moments()];
      const [ranking, held] = [moments(), moments()];
      own.rows.forEach((row, i) => {
        const score = scores[i] ?? NaN;
        if (Number.isNaN(score)) return;
        const isInside = of.get(row) === id;
        (isInside ? inside : outside).add(score);
        if (isInside) (ranks[i] ? ranking : held).add(score);
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
        ...(held.count() > 0 ? { heldOut: { count: held.count(), score: held.mean() } } : {}),
      }];
    })
  );
  const ps = found.map(({ p }) => p);
  const [h, bh] = [holm(ps), benjaminiHochberg(ps)];
  const sign = own.metric.greaterIsBetter ? 1 : -1;
  const slices = found
    .map(({ rank, ...slice }, i) => ({ rank, slice: { ...slice, holm: h[i] ?? 1, benjaminiHochberg: bh[i] ?? 1 } }))
    .sort((a, b) => sign * (a.rank - b.rank))
    .map(({ slice }) => slice);
  return { metric: key, searched: found.length, slices: slices.slice(0, TOLD) };
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
