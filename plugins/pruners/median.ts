/**
 * The median pruner.
 * @module
 */
import * as v from "valibot";
import { isBelowPercentile, percentileOptions, type PrunerOptions } from "../../blocks/pruner/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link median}. */
export interface MedianOptions extends PrunerOptions {}

/** Schema of {@link MedianOptions}. */
export const medianSchema: v.GenericSchema<Partial<MedianOptions>, MedianOptions> = v.strictObject(percentileOptions);

/**
 * Ends a trial whose best value so far is worse than the median of complete trials at the same step.
 *
 * @example
 * ```ts
 * import { median } from "attune/pruners/median";
 * console.assert(median({ warmupSteps: 100 }).name === "median");
 * ```
 */
export const median: Factory<"pruner", Partial<MedianOptions>> = define({
  kind: "pruner",
  name: "median",
  schema: medianSchema,
  create: (options) => ({ prune: (trial, study) => isBelowPercentile(trial, study, 50, options) }),
});
