/**
 * Pearson's correlation.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { correlation, overMoments } from "../../blocks/metric/mod.ts";

/**
 * Pearson's r of predictions and references; null if either is constant.
 *
 * @example
 * ```ts
 * import { pearson } from "attune/metrics/pearson";
 * const metric = pearson();
 * let state = metric.init();
 * for (const x of [1, 2, 3]) state = metric.update(state, { prediction: 2 * x, reference: x });
 * console.assert(Math.abs((metric.compute(state).pearson ?? 0) - 1) < 1e-12);
 * ```
 */
export const pearson: Factory<"metric"> = define({
  kind: "metric",
  name: "pearson",
  schema: v.strictObject({}),
  create: () => overMoments((moments) => ({ pearson: correlation(moments) })),
});
