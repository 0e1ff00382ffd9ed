/** The slices of rows on which a model is worst, with p-values corrected for the search. */
import { createRandom } from "../math/random.ts";
import { normalShare } from "../statistics/normal.ts";
import { benjaminiHochberg, holm } from "../statistics/significance.ts";
import type { RowScores } from "./row_scores.ts";
import type { RowTable } from "./row_table.ts";

/** Rows with one value of a column. */
export type Slice = Readonly<{
  column: string;
  value: string;
  count: number;
  score: number;
  /** Score of all other rows. */
  others: number;
  /** p-value of the difference from the other rows; `holm` and `benjaminiHochberg` are corrected for the search. */
  p: number;
  holm: number;
  benjaminiHochberg: number;
  /** Score on the half of the rows that was not used to rank slices. */
  heldOut?: Readonly<{ count: number; score: number }>;
}>;

/** The worst slices. `drawn`: number of sampled rows, if not all rows were used. */
export type WorstSlices = Readonly<{ metric: string; searched: number; drawn?: number; slices: readonly Slice[] }>;

/** Minimum rows of a slice, and maximum number of reported slices. */
const [LEAST, TOLD] = [10, 20];

/** Searches columns and lengths for the slices with the worst scores; undefined if rows have no scores. */
export function worstSlices(scores: RowScores | undefined, table: RowTable): WorstSlices | undefined {
  if (!scores) return undefined;
  const { key, greaterIsBetter, names, share, sums, counts } = scores;
  const coin = createRandom(42).fork("halves");
  const ranks = names.map((row) => coin.uniform(Number(row)) < 0.5);
  const candidates = table.columns().flatMap(({ name, values, of }) =>
    values.flatMap((value, id) => {
      const [inside, outside] = [ratio(), ratio()];
      const [ranking, slice] = [ratio(), ratio()];
      names.forEach((row, i) => {
        const [sum, count] = [sums[i] ?? 0, counts[i] ?? 0];
        if (count === 0 || !Number.isFinite(sum)) return;
        const isInside = of.get(Number(row)) === id;
        (isInside ? inside : outside).add(sum, count);
        if (isInside) (ranks[i] ? ranking : slice).add(sum, count);
      });
      if (inside.rows() < LEAST || outside.rows() < LEAST) return [];
      const spread = Math.sqrt(inside.variance() + outside.variance());
      const gap = inside.mean() - outside.mean();
      const p = spread > 0 ? 2 * normalShare(-Math.abs(gap) / spread) : gap === 0 ? 1 : 0;
      return [{
        column: name,
        value,
        count: inside.rows(),
        score: inside.mean(),
        others: outside.mean(),
        p,
        rank: ranking.rows() > 0 ? ranking.mean() : inside.mean(),
        ...(slice.rows() > 0 ? { heldOut: { count: slice.rows(), score: slice.mean() } } : {}),
      }];
    })
  );
  const ps = candidates.map(({ p }) => p);
  const [h, bh] = [holm(ps), benjaminiHochberg(ps)];
  const sign = greaterIsBetter ? 1 : -1;
  const slices = candidates
    .map(({ rank, ...slice }, i) => ({ rank, slice: { ...slice, holm: h[i] ?? 1, benjaminiHochberg: bh[i] ?? 1 } }))
    .sort((a, b) => sign * (a.rank - b.rank))
    .map(({ slice }) => slice);
  const sample = share < 1 ? { drawn: names.length } : {};
  return { metric: key, searched: candidates.length, ...sample, slices: slices.slice(0, TOLD) };
}

type Ratio = Readonly<{ add(sum: number, count: number): void; rows(): number; mean(): number; variance(): number }>;

/** Creates a ratio estimator: the sum of rows' sums over the sum of their counts, with its variance (Cochran 1977). */
function ratio(): Ratio {
  let [n, sums, counts] = [0, 0, 0];
  let [squares, products, countSquares] = [0, 0, 0];
  const mean = (): number => sums / counts;
  return {
    add: (sum, count) => {
      n++;
      sums += sum;
      counts += count;
      squares += sum * sum;
      products += sum * count;
      countSquares += count * count;
    },
    rows: () => n,
    mean,
    variance: () => {
      const left = squares - 2 * mean() * products + mean() ** 2 * countSquares;
      return n > 1 ? Math.max(0, left) / (n - 1) * n / counts ** 2 : 0;
    },
  };
}
