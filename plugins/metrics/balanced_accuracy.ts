/**
 * Balanced accuracy.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { type ClassCounts, countRow, emptyCounts, finite, mergeCounts } from "../../blocks/metric/mod.ts";

/** Options of {@link balancedAccuracy}. */
export interface BalancedAccuracyOptions {
  /** Whether to rescale so that guessing gives 0. */
  readonly adjusted: boolean;
}

/**
 * The mean recall over the classes that occur (Brodersen et al. 2010).
 *
 * @throws AttuneError from `update` if a class is not a whole number.
 * @example
 * ```ts
 * import { balancedAccuracy } from "attune/metrics/balanced-accuracy";
 * const metric = balancedAccuracy();
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1 });
 * console.assert(metric.compute(state)["balanced-accuracy"] === 1);
 * ```
 */
export const balancedAccuracy: Factory<"metric", Partial<BalancedAccuracyOptions>> = define({
  kind: "metric",
  name: "balanced-accuracy",
  schema: v.strictObject({ adjusted: v.optional(v.boolean(), false) }),
  create: ({ adjusted }: BalancedAccuracyOptions) => ({
    reads: ["label"],
    greaterIsBetter: true,
    init: emptyCounts,
    update: (state: ClassCounts, { prediction, reference }: MetricInputs["label"]) =>
      countRow("balanced-accuracy", state, prediction, reference),
    merge: (a: ClassCounts, b: ClassCounts) => mergeCounts(a, b),
    compute: ({ classes }: ClassCounts) => {
      const recalls = Object.values(classes).flatMap(([right, , actual]) => (actual > 0 ? [right / actual] : []));
      const mean = recalls.reduce((a, b) => a + b, 0) / recalls.length;
      const chance = 1 / recalls.length;
      return { "balanced-accuracy": finite(adjusted ? (mean - chance) / (1 - chance) : mean) };
    },
  }),
});
