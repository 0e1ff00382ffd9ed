/**
 * F1.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { averageOver, type AveragingOptions, averagingSchema } from "../../blocks/metric/mod.ts";

/**
 * The harmonic mean of precision and recall: 2·tp / (2·tp + fp + fn), averaged over classes as scikit-learn does. Key:
 * `f1_` and the average, with `none` the class.
 *
 * @throws AttuneError from `compute` if `average` is `binary` and there are more than two classes.
 * @example
 * ```ts
 * import { f1 } from "attune/metrics/f1";
 * const metric = f1({ average: "macro" });
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1 });
 * console.assert(metric.compute(state).f1_macro === 1);
 * ```
 */
export const f1: Factory<"metric", Partial<AveragingOptions>> = define({
  kind: "metric",
  name: "f1",
  schema: averagingSchema,
  create: (options: AveragingOptions) =>
    averageOver("f1", options, 1, (scores, suffix) => ({ [`f1_${suffix}`]: scores.f })),
});
