/**
 * Kendall's tau.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { finite, type Pair, pairMetric } from "../../blocks/metric/mod.ts";

/**
 * Tau-b (Kendall 1945): pairs of rows in the same order minus those in opposite order, divided by √ of the untied pairs
 * on each side; null if either side is constant. Exact up to 65,536 distinct pairs, see `tally.ts`; n log n.
 *
 * @example
 * ```ts
 * import { kendallTau } from "attune/metrics/kendall-tau";
 * const metric = kendallTau();
 * let state = metric.init();
 * for (const x of [1, 2, 3]) state = metric.update(state, { prediction: -x, reference: x });
 * console.assert(metric.compute(state)["kendall-tau"] === -1);
 * ```
 */
export const kendallTau: Factory<"metric"> = define({
  kind: "metric",
  name: "kendall-tau",
  schema: v.strictObject({}),
  create: () => pairMetric("kendall-tau", tau),
});

function tau(pairs: readonly Pair[]): number | null {
  const sorted = pairs.toSorted((a, b) => a.x - b.x || a.y - b.y);
  const places = new Map([...new Set(pairs.map((p) => p.y))].sort((a, b) => a - b).map((y, i) => [y, i + 1]));
  // A Fenwick tree over the ranks of y: the number of rows with smaller x at or below a rank.
  const tree = new Float64Array(places.size + 1);
  const atOrBelow = (place: number): number => {
    let sum = 0;
    for (let i = place; i > 0; i -= i & -i) sum += tree[i] ?? 0;
    return sum;
  };
  let [difference, seen] = [0, 0];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    for (; end < sorted.length && sorted[end]?.x === sorted[i]?.x; end++) {
      const { y, count } = sorted[end] ?? { y: 0, count: 0 };
      const place = places.get(y) ?? 0;
      difference += count * (atOrBelow(place - 1) - (seen - atOrBelow(place)));
    }
    for (; i < end; i++) {
      const { y, count } = sorted[i] ?? { y: 0, count: 0 };
      seen += count;
      for (let at = places.get(y) ?? 0; at > 0 && at < tree.length; at += at & -at) tree[at] = (tree[at] ?? 0) + count;
    }
  }
  const all = seen * (seen - 1) / 2;
  return finite(difference / (Math.sqrt((all - tied(pairs, "x")) * (all - tied(pairs, "y")))));
}

function tied(pairs: readonly Pair[], side: "x" | "y"): number {
  const counts = new Map<number, number>();
  for (const pair of pairs) counts.set(pair[side], (counts.get(pair[side]) ?? 0) + pair.count);
  let sum = 0;
  for (const count of counts.values()) sum += count * (count - 1) / 2;
  return sum;
}
