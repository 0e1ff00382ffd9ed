/** Pairs of numbers, for rank metrics. */
import type { MetricInputs } from "../../core/types.ts";
import type { MetricParts } from "./mean.ts";
import { addToTally, emptyTally, gatherTallies, mergeTallies, type Tally, tallyEntries } from "./tally.ts";

/** A pair and how often it occurred. */
export type Pair = Readonly<{ x: number; y: number; count: number }>;

/** Returns a metric over pairs of prediction and reference; up to 65,536 distinct pairs are exact (see `tally.ts`). */
export function pairMetric(name: string, value: (pairs: readonly Pair[]) => number | null): MetricParts {
  return {
    reads: ["number"],
    greaterIsBetter: true,
    init: emptyTally,
    update: (state: Tally, { prediction, reference }: MetricInputs["number"]) =>
      addToTally(state, "", [prediction, reference]),
    merge: (a: Tally, b: Tally) => mergeTallies(a, b),
    gather: (tallies: readonly Tally[], counts: ArrayLike<number>) => gatherTallies(tallies, counts),
    compute: (state: Tally) => {
      const pairs: Pair[] = [];
      for (const { values: [x = 0, y = 0], count } of tallyEntries(state)) pairs.push({ x, y, count });
      return { [name]: pairs.some(({ x, y }) => Number.isNaN(x + y)) ? null : value(pairs) };
    },
  };
}

/** Returns the rank of each value, from 1; equal values have their mean rank. */
export function ranks(values: Iterable<readonly [value: number, count: number]>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [value, count] of values) counts.set(value, (counts.get(value) ?? 0) + count);
  let before = 0;
  return new Map(
    [...counts].sort((a, b) => a[0] - b[0]).map(([value, count]) => {
      before += count;
      return [value, before - (count - 1) / 2];
    }),
  );
}
