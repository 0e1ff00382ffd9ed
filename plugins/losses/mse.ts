/**
 * Mean squared error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { square, sub } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { elementLoss, type ReductionOptions, reductionSchema } from "../../blocks/loss/mod.ts";

/**
 * (x - t)², the mean over all elements.
 *
 * @example
 * ```ts
 * import { mse } from "attune/losses/mse";
 * console.assert(mse().over === "batch");
 * ```
 */
export const mse: Factory<"loss", Partial<ReductionOptions>> = define({
  kind: "loss",
  name: "mse",
  schema: v.strictObject({ reduction: reductionSchema }),
  create: ({ reduction }: ReductionOptions) => elementLoss(reduction, (output, target) => square(sub(output, target))),
});
