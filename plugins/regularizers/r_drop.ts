/**
 * Keeps predictions under different dropout masks consistent.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import { add, asMatrix, exp, logSoftmax, mul, sub, sum } from "../../core/graph/ops/functions.ts";
import type { Factory, Named, Value } from "../../core/types.ts";
import { meanOf } from "../../blocks/regularizer/mod.ts";

/** Options of {@link rDrop}. */
export interface RDropOptions {
  /** The weight of the divergence relative to the loss. */
  readonly alpha: number;
  /** The output of the head whose last axis is classes. */
  readonly output: string;
}

/**
 * R-Drop (Wu et al. 2021): each micro-batch passes through the model twice, with new dropout; the loss of the second
 * pass is added, and α times ½(KL(p‖q) + KL(q‖p)), the mean over rows. A step takes twice as long.
 *
 * @example
 * ```ts
 * import { rDrop } from "attune/regularizers/r-drop";
 * console.assert(rDrop({ alpha: 1 }).name === "r-drop");
 * ```
 */
export const rDrop: Factory<"regularizer", Partial<RDropOptions>> = define({
  kind: "regularizer",
  name: "r-drop",
  schema: v.strictObject({
    alpha: v.optional(v.pipe(v.number(), v.minValue(0)), 5),
    output: v.optional(v.string(), "logits"),
  }),
  create: ({ alpha, output }: RDropOptions) => {
    const logitsOf = (outputs: Named<Value>): Value => {
      const logits = outputs[output];
      if (!logits) throw missing("r-drop", `output "${output}"`, `the head (it has ${Object.keys(outputs)})`);
      return asMatrix(logits);
    };
    return {
      term: (_, { outputs, again }) => {
        const second = again();
        const [p, q] = [logSoftmax(logitsOf(outputs)), logSoftmax(logitsOf(second.outputs))];
        // KL(p‖q) + KL(q‖p) = Σ (p - q)(ln p - ln q)
        const both = sum(mul(sub(exp(p), exp(q)), sub(p, q)), -1);
        return add(second.loss, mul(meanOf(both), alpha / 2));
      },
    };
  },
});
