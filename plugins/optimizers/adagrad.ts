/**
 * Adagrad.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { commonEntries, type CommonOptions, elementwise, nonNegative } from "../../blocks/optimizer/mod.ts";

/** Options of {@link adagrad}. Weight decay is λ of an L2 term in the gradient. */
export interface AdagradOptions extends CommonOptions {
  /** The rate falls as 1 / (1 + (step - 1)·lrDecay), in addition to the schedule. */
  readonly lrDecay: number;
  /** The initial value of the sum of squares. */
  readonly initialAccumulatorValue: number;
  /** Added to the denominator. */
  readonly epsilon: number;
}

/**
 * Adagrad (Duchi et al. 2011) as torch.optim.Adagrad: s ← s + g², w ← w - lr·g / (√s + ε).
 *
 * @example
 * ```ts
 * import { adagrad } from "attune/optimizers/adagrad";
 * console.assert(adagrad().state([3], "w").sum === 3);
 * ```
 */
export const adagrad: Factory<"optimizer", Partial<AdagradOptions>> = define({
  kind: "optimizer",
  name: "adagrad",
  schema: v.strictObject({
    lrDecay: v.optional(nonNegative, 0),
    initialAccumulatorValue: v.optional(nonNegative, 0),
    epsilon: v.optional(nonNegative, 1e-10),
    ...commonEntries(),
  }),
  create: (options: AdagradOptions) =>
    elementwise(options, { sum: true }, false, ({ step, learningRate }, { sum }) => {
      if (step === 1) sum.fill(options.initialAccumulatorValue);
      const size = learningRate / (1 + (step - 1) * options.lrDecay);
      return (g, i) => {
        const s = sum[i] = (sum[i] ?? 0) + g * g;
        return size * g / (Math.sqrt(s) + options.epsilon);
      };
    }),
});
