/**
 * The median pruner.
 * @module
 */
import * as v from "valibot";
import { isBelowPercentile, percentileOptions, type PrunerOptions } from "../../blocks/pruner/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/**
 * Ends a trial whose best value so far is worse than the median of complete trials at the same step.
 *
 * @example
 * ```ts
 * import { median } from "attune/pruners/median";
 * console.assert(median({ warmupSteps: 100 }).name === "median");
 * ```
 */
export const median: Factory<"pruner", Partial<PrunerOptions>> = define({
  kind: "pruner",
  name: "median",
  schema: v.strictObject(percentileOptions),
  create: (options: PrunerOptions) => ({ prune: (trial, study) => isBelowPercentile(trial, study, 50, options) }),
});
