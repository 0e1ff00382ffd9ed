/**
 * Root mean squared error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric } from "../../blocks/metric/mod.ts";

/**
 * The square root of the mean of (prediction - reference)².
 *
 * @example
 * ```ts
 * import { rmse } from "attune/metrics/rmse";
 * const metric = rmse();
 * console.assert(metric.compute(metric.update(metric.init(), { prediction: 3, reference: 1 })).rmse === 2);
 * ```
 */
export const rmse: Factory<"metric"> = define({
  kind: "metric",
  name: "rmse",
  schema: v.strictObject({}),
  create: () =>
    meanMetric("rmse", ["number"], ({ prediction, reference }) => (prediction - reference) ** 2, { finish: Math.sqrt }),
});
