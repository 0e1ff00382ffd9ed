/**
 * Mean absolute error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric } from "../../blocks/metric/mod.ts";

/**
 * The mean of |prediction - reference|.
 *
 * @example
 * ```ts
 * import { mae } from "attune/metrics/mae";
 * const metric = mae();
 * console.assert(metric.compute(metric.update(metric.init(), { prediction: 3, reference: 1 })).mae === 2);
 * ```
 */
export const mae: Factory<"metric"> = define({
  kind: "metric",
  name: "mae",
  schema: v.strictObject({}),
  create: () => meanMetric("mae", ["number"], ({ prediction, reference }) => Math.abs(prediction - reference)),
});
