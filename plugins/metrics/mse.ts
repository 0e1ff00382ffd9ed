/**
 * Mean squared error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric } from "../../blocks/metric/mod.ts";

/**
 * The mean of (prediction - reference)².
 *
 * @example
 * ```ts
 * import { mse } from "attune/metrics/mse";
 * const metric = mse();
 * console.assert(metric.compute(metric.update(metric.init(), { prediction: 3, reference: 1 })).mse === 4);
 * ```
 */
export const mse: Factory<"metric"> = define({
  kind: "metric",
  name: "mse",
  schema: v.strictObject({}),
  create: () => meanMetric("mse", ["number"], ({ prediction, reference }) => (prediction - reference) ** 2),
});
