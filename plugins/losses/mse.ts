/**
 * Mean squared error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { square, sub } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { countFor, type Reduction, reductionSchema, valuesOf, weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link mse}. */
export interface MseOptions {
  /** The mean over all elements, or their sum. */
  readonly reduction: Reduction;
}

/**
 * (x - t)², the mean over all elements.
 *
 * @example
 * ```ts
 * import { mse } from "attune/losses/mse";
 * console.assert(mse().over === "batch");
 * ```
 */
export const mse: Factory<"loss", Partial<MseOptions>> = define({
  kind: "loss",
  name: "mse",
  schema: v.strictObject({ reduction: reductionSchema }),
  create: ({ reduction }: MseOptions) => ({
    over: "batch",
    weighted: true,
    compares: "elements",
    sum: (_, output, target, weight) => weightedSum(square(sub(output, target)), weight),
    count: countFor(reduction, valuesOf),
  }),
});
