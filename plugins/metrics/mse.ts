/**
 * Mean squared error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric } from "../../blocks/metric/mod.ts";

/** Options of {@link mse}: none. */
export type MseOptions = Readonly<Record<never, never>>;

/** Schema of {@link MseOptions}. */
export const mseSchema: v.GenericSchema<MseOptions, MseOptions> = v.strictObject({});

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
export const mse: Factory<"metric", MseOptions> = define({
  kind: "metric",
  name: "mse",
  schema: mseSchema,
  create: () => meanMetric("mse", ["number"], ({ prediction, reference }) => (prediction - reference) ** 2),
});
