/**
 * Mean absolute error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { abs, sub } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { elementLoss, type ReductionOptions, reductionSchema } from "../../blocks/loss/mod.ts";

/**
 * |x - t|, the mean over all elements, as torch's L1Loss.
 *
 * @example
 * ```ts
 * import { mae } from "attune/losses/mae";
 * console.assert(mae().count({ dtype: "float32", dims: [2, 3], data: new Float32Array(6) }) === 6);
 * ```
 */
export const mae: Factory<"loss", Partial<ReductionOptions>> = define({
  kind: "loss",
  name: "mae",
  schema: v.strictObject({ reduction: reductionSchema }),
  create: ({ reduction }: ReductionOptions) => elementLoss(reduction, (output, target) => abs(sub(output, target))),
});
