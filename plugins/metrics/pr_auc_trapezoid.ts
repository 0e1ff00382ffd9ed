/**
 * Area under the precision-recall curve by trapezoids.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { curveMetric, type CurveOptions, curveSchema, type Point, precisionRecall } from "../../blocks/metric/mod.ts";

/**
 * The area under the precision-recall curve with linear interpolation, starting at precision 1: too optimistic (Davis &
 * Goadrich 2006), but sometimes reported; see `average-precision`. The state keeps at most 65,536 distinct scores
 * exactly, see `tally.ts`.
 *
 * @throws AttuneError from `update` if there are no scores.
 * @example
 * ```ts
 * import { prAucTrapezoid } from "attune/metrics/pr-auc-trapezoid";
 * const metric = prAucTrapezoid();
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1, scores: [0.2, 0.8] });
 * console.assert(metric.compute(state)["pr-auc-trapezoid"] === 1);
 * ```
 */
export const prAucTrapezoid: Factory<"metric", Partial<CurveOptions>> = define({
  kind: "metric",
  name: "pr-auc-trapezoid",
  schema: curveSchema,
  create: (options: CurveOptions) => curveMetric("pr-auc-trapezoid", area, options),
});

function area(ascending: readonly Point[]): number {
  let sum = 0;
  let [recallBefore, precisionBefore] = [0, 1];
  for (const [recall, precision] of precisionRecall(ascending)) {
    sum += (recall - recallBefore) * (precision + precisionBefore) / 2;
    [recallBefore, precisionBefore] = [recall, precision];
  }
  return sum;
}
