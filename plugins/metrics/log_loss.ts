/**
 * Log loss.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric, referenceScore } from "../../blocks/metric/mod.ts";

/**
 * The mean of -ln of the probability of the true class, clipped to 2.2e-16 from 0 and 1.
 *
 * @throws AttuneError from `update` if there are no scores, or none of that class.
 * @example
 * ```ts
 * import { logLoss } from "attune/metrics/log-loss";
 * const metric = logLoss();
 * const state = metric.update(metric.init(), { prediction: 0, reference: 0, scores: [0.5, 0.5] });
 * console.assert(metric.compute(state)["log-loss"] === Math.LN2);
 * ```
 */
export const logLoss: Factory<"metric"> = define({
  kind: "metric",
  name: "log-loss",
  schema: v.strictObject({}),
  create: () =>
    meanMetric("log-loss", ["label"], (example) => {
      const p = referenceScore("log-loss", example);
      return -Math.log(Math.min(Math.max(p, Number.EPSILON), 1 - Number.EPSILON));
    }),
});
