/**
 * Average precision.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { curveMetric, type CurveOptions, curveSchema, type Point, precisionRecall } from "../../blocks/metric/mod.ts";

/**
 * Precision summed over the steps of recall: Σ (Rₙ - Rₙ₋₁) Pₙ. Two classes: of class 1. The state keeps at most 65,536
 * distinct scores exactly, see `tally.ts`.
 *
 * @throws AttuneError from `update` if there are no scores.
 * @example
 * ```ts
 * import { averagePrecision } from "attune/metrics/average-precision";
 * const metric = averagePrecision();
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1, scores: [0.2, 0.8] });
 * console.assert(metric.compute(state)["average-precision"] === 1);
 * ```
 */
export const averagePrecision: Factory<"metric", Partial<CurveOptions>> = define({
  kind: "metric",
  name: "average-precision",
  schema: curveSchema,
  create: (options: CurveOptions) => curveMetric("average-precision", area, options),
});

function area(ascending: readonly Point[]): number {
  let [sum, before] = [0, 0];
  for (const [recall, precision] of precisionRecall(ascending)) {
    sum += (recall - before) * precision;
    before = recall;
  }
  return sum;
}
