/**
 * Adagrad.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  commonEntries,
  type CommonOptions,
  decayOf,
  idleCoupled,
  nonNegative,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

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
    withCommon(options, {
      elementwise: true,
      state: (shape) => ({ sum: sizeOf(shape) }),
      update: (span, update) => {
        const { parameter, gradient, state: { sum } } = span as FlatParameter<"sum">;
        if (update.step === 1) sum.fill(options.initialAccumulatorValue);
        const decay = decayOf(update, options);
        const size = update.learningRate / (1 + (update.step - 1) * options.lrDecay);
        for (let i = 0; i < parameter.length; i++) {
          const w = parameter[i] ?? 0;
          const g = (gradient[i] ?? 0) * update.gradientScale + decay * w;
          const s = sum[i] = (sum[i] ?? 0) + g * g;
          parameter[i] = w - size * g / (Math.sqrt(s) + options.epsilon);
        }
      },
      decayWithoutGradient: idleCoupled(options),
    }),
});
