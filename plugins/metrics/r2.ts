/**
 * Coefficient of determination.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { finite, overMoments } from "../../blocks/metric/mod.ts";

/**
 * The share of the references' variance that predictions explain: 1 - Σ (p - r)² / Σ (r - r̄)². Where references never
 * vary, 1 if all are met and else 0, as scikit-learn has it.
 *
 * @example
 * ```ts
 * import { r2 } from "attune/metrics/r2";
 * const metric = r2();
 * let state = metric.init();
 * for (const x of [1, 2, 3]) state = metric.update(state, { prediction: x, reference: x });
 * console.assert(metric.compute(state).r2 === 1);
 * ```
 */
export const r2: Factory<"metric"> = define({
  kind: "metric",
  name: "r2",
  schema: v.strictObject({}),
  create: () =>
    overMoments(({ rows, yy, squaredError }) => ({
      r2: rows < 2 ? null : yy > 0 ? finite(1 - squaredError / yy) : squaredError === 0 ? 1 : 0,
    })),
});
