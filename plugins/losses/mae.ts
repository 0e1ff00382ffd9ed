/**
 * Mean absolute error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { abs, sub } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { countFor, type Reduction, reductionSchema, valuesOf, weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link mae}. */
export interface MaeOptions {
  /** The mean over all elements, or their sum. */
  readonly reduction: Reduction;
}

/**
 * |x - t|, the mean over all elements, as torch's L1Loss.
 *
 * @example
 * ```ts
 * import { mae } from "attune/losses/mae";
 * console.assert(mae().count({ dtype: "float32", dims: [2, 3], data: new Float32Array(6) }) === 6);
 * ```
 */
export const mae: Factory<"loss", Partial<MaeOptions>> = define({
  kind: "loss",
  name: "mae",
  schema: v.strictObject({ reduction: reductionSchema }),
  create: ({ reduction }: MaeOptions) => ({
    over: "batch",
    weighted: true,
    compares: "elements",
    sum: (_, output, target, weight) => weightedSum(abs(sub(output, target)), weight),
    count: countFor(reduction, valuesOf),
  }),
});
