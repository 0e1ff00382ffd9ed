/**
 * Spearman's rank correlation.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { correlation, type Pair, pairMetric, ranks } from "../../blocks/metric/mod.ts";

/**
 * Pearson's r of the ranks (Spearman 1904), equals sharing theirs; null if either side is constant. Exact up to 65,536
 * distinct pairs, see `tally.ts`.
 *
 * @example
 * ```ts
 * import { spearman } from "attune/metrics/spearman";
 * const metric = spearman();
 * let state = metric.init();
 * for (const x of [1, 2, 3]) state = metric.update(state, { prediction: x * x, reference: x });
 * console.assert(Math.abs((metric.compute(state).spearman ?? 0) - 1) < 1e-12);
 * ```
 */
export const spearman: Factory<"metric"> = define({
  kind: "metric",
  name: "spearman",
  schema: v.strictObject({}),
  create: () => pairMetric("spearman", rho),
});

function rho(pairs: readonly Pair[]): number | null {
  const xs = ranks(pairs.map(({ x, count }) => [x, count]));
  const ys = ranks(pairs.map(({ y, count }) => [y, count]));
  const rows = pairs.reduce((n, { count }) => n + count, 0);
  const mean = (rows + 1) / 2;
  let [xx, yy, xy] = [0, 0, 0];
  for (const { x, y, count } of pairs) {
    const [dx, dy] = [(xs.get(x) ?? 0) - mean, (ys.get(y) ?? 0) - mean];
    xx += count * dx * dx;
    yy += count * dy * dy;
    xy += count * dx * dy;
  }
  return correlation({ rows, xx, yy, xy });
}
