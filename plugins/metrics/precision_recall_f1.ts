/**
 * Precision, recall and F1 at once.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { averageOver, averagingEntries, type AveragingOptions } from "../../blocks/metric/mod.ts";

/** Options of {@link precisionRecallF1}. */
export interface PrecisionRecallF1Options extends AveragingOptions {
  /** Another name for `posLabel`. */
  readonly positive?: number | undefined;
}

/**
 * Precision, recall and F1 from one count, as scikit-learn's precision_recall_fscore_support. Keys: `precision_`,
 * `recall_` and `f1_`, each with the average, with `none` the class.
 *
 * @throws AttuneError from `compute` if `average` is `binary` and there are more than two classes.
 * @example
 * ```ts
 * import { precisionRecallF1 } from "attune/metrics/precision-recall-f1";
 * const metric = precisionRecallF1({ average: "micro" });
 * console.assert(metric.compute(metric.update(metric.init(), { prediction: 2, reference: 1 })).recall_micro === 0);
 * ```
 */
export const precisionRecallF1: Factory<"metric", Partial<PrecisionRecallF1Options>> = define({
  kind: "metric",
  name: "precision-recall-f1",
  schema: v.strictObject({
    ...averagingEntries,
    positive: v.optional(v.pipe(v.number(), v.integer())),
  }),
  create: ({ positive, ...options }: PrecisionRecallF1Options) =>
    averageOver(
      "precision-recall-f1",
      { ...options, posLabel: positive ?? options.posLabel },
      1,
      ({ precision, recall, f }, suffix) => ({
        [`precision_${suffix}`]: precision,
        [`recall_${suffix}`]: recall,
        [`f1_${suffix}`]: f,
      }),
    ),
});
