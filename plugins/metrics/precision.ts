/**
 * Precision.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { averageOver, type AveragingOptions, averagingSchema } from "../../blocks/metric/mod.ts";

/**
 * The share of predictions that are right: tp / (tp + fp), averaged over classes as scikit-learn does. Key:
 * `precision_` and the average.
 *
 * @throws AttuneError from `compute` if `average` is `binary` and there are more than two classes.
 * @example
 * ```ts
 * import { precision } from "attune/metrics/precision";
 * const metric = precision({ average: "macro" });
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1 });
 * console.assert(metric.compute(state).precision_macro === 1);
 * ```
 */
export const precision: Factory<"metric", Partial<AveragingOptions>> = define({
  kind: "metric",
  name: "precision",
  schema: averagingSchema,
  create: (options: AveragingOptions) =>
    averageOver("precision", options, 1, (scores, suffix) => ({ [`precision_${suffix}`]: scores.precision })),
});
