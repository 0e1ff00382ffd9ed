/**
 * The percentile pruner.
 * @module
 */
import * as v from "valibot";
import { isBelowPercentile, percentileOptions, type PrunerOptions } from "../../blocks/pruner/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link percentile}. */
export interface PercentileOptions extends PrunerOptions {
  /** The percentage of complete trials that a trial must keep up with. */
  readonly percentile: number;
}

/**
 * Ends a trial whose best value so far is not among the best `percentile` percent of complete trials at the same step.
 *
 * @example
 * ```ts
 * import { percentile } from "attune/pruners/percentile";
 * console.assert(percentile({ percentile: 25 }).name === "percentile");
 * ```
 */
export const percentile: Factory<"pruner", Partial<PercentileOptions>> = define({
  kind: "pruner",
  name: "percentile",
  schema: v.strictObject({
    ...percentileOptions,
    percentile: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 25),
  }),
  create: (options: PercentileOptions) => ({
    prune: (trial, study) => isBelowPercentile(trial, study, options.percentile, options),
  }),
});
