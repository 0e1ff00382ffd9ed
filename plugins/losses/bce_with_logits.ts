/**
 * Binary cross entropy over independent labels.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { add, constant, mul, neg, softplus, sub } from "../../core/graph/ops/functions.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Factory } from "../../core/types.ts";
import { elementLoss, type ReductionOptions, reductionSchema } from "../../blocks/loss/mod.ts";

/** Options of {@link bceWithLogits}. */
export interface BceWithLogitsOptions extends ReductionOptions {
  /** The weight of positives relative to negatives, per label. */
  readonly posWeight?: readonly number[] | undefined;
}

/**
 * ln(1 + eˣ) - x·t, the mean over all rows and labels, as torch's BCEWithLogitsLoss; with weights w of positives
 * (1 + (w - 1)t) ln(1 + e⁻ˣ) + (1 - t)x.
 *
 * @example
 * ```ts
 * import { bceWithLogits } from "attune/losses/bce-with-logits";
 * console.assert(bceWithLogits().count({ dtype: "float32", dims: [2, 3], data: new Float32Array(6) }) === 6);
 * ```
 */
export const bceWithLogits: Factory<"loss", Partial<BceWithLogitsOptions>> = define({
  kind: "loss",
  name: "bce-with-logits",
  schema: v.strictObject(
    { posWeight: v.optional(v.array(v.pipe(v.number(), v.minValue(0)))), reduction: reductionSchema },
  ),
  create: ({ posWeight, reduction }: BceWithLogitsOptions) => ({
    ...elementLoss(reduction, (logits, target) => {
      if (!posWeight) return sub(softplus(logits), mul(logits, target));
      const extra = constant(logits, f32([posWeight.length], posWeight.map((w) => w - 1)));
      const weight = add(mul(target, extra), 1);
      return sub(add(mul(weight, softplus(neg(logits))), logits), mul(logits, target));
    }),
    perClass: { posWeight },
  }),
});
