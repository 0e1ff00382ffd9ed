/**
 * Keeps weights near their initial values.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { add, mul, square, sub, sum } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { savedValues } from "../../blocks/regularizer/mod.ts";

/** Options of {@link l2Sp}. */
export interface L2SpOptions {
  /** How strongly parameters with a saved value are pulled to it. */
  readonly alpha: number;
  /** How strongly new parameters are pulled to zero. */
  readonly beta: number;
}

const strength = v.pipe(v.number(), v.minValue(0));

/**
 * L²-SP (Li et al. 2018): ½α |w - w₀|² over parameters that start from a saved value w₀, ½β |w|² over new ones. All
 * that trains counts; the saved values are held in memory once more.
 *
 * @example
 * ```ts
 * import { l2Sp } from "attune/regularizers/l2-sp";
 * console.assert(l2Sp({ alpha: 0.1 }).name === "l2-sp");
 * ```
 */
export const l2Sp: Factory<"regularizer", Partial<L2SpOptions>> = define({
  kind: "regularizer",
  name: "l2-sp",
  schema: v.strictObject({
    alpha: v.optional(strength, 0.01),
    beta: v.optional(strength, 0.01),
  }),
  create: ({ alpha, beta }: L2SpOptions) => ({
    prepare: (probe) => savedValues(probe, () => true),
    term: (b, { frozen }) =>
      Object.entries(b.trainable())
        .map(([name, w]) => {
          const start = frozen[name];
          return start ? mul(sum(square(sub(w, start))), alpha / 2) : mul(sum(square(w)), beta / 2);
        })
        .reduce((a, c) => add(a, c)),
  }),
});
