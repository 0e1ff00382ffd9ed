/**
 * Recall.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { averageOver, type AveragingOptions, averagingSchema } from "../../blocks/metric/mod.ts";

/**
 * The share of true cases that are found: tp / (tp + fn), averaged over classes as scikit-learn does. Key: `recall_`
 * and the average.
 *
 * @throws AttuneError from `compute` if `average` is `binary` and there are more than two classes.
 * @example
 * ```ts
 * import { recall } from "attune/metrics/recall";
 * const metric = recall({ average: "macro" });
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1 });
 * console.assert(metric.compute(state).recall_macro === 1);
 * ```
 */
export const recall: Factory<"metric", Partial<AveragingOptions>> = define({
  kind: "metric",
  name: "recall",
  schema: averagingSchema,
  create: (options: AveragingOptions) =>
    averageOver("recall", options, 1, (scores, suffix) => ({ [`recall_${suffix}`]: scores.recall })),
});
