/**
 * RMSprop.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  commonEntries,
  type CommonOptions,
  decayOf,
  fraction,
  idleCoupled,
  nonNegative,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link rmsprop}. Weight decay is λ of an L2 term in the gradient. */
export interface RmspropOptions extends CommonOptions {
  /** Decay of the mean of squared gradients. */
  readonly alpha: number;
  /** Added to the denominator. */
  readonly epsilon: number;
  /** The share of the last step's direction that is kept. */
  readonly momentum: number;
  /** Whether to divide by the standard deviation instead of the root mean square. */
  readonly centered: boolean;
}

/**
 * RMSprop (Tieleman & Hinton 2012) as torch.optim.RMSprop: v ← αv + (1-α)g², u = g / (√v + ε), or √(v - m²) if
 * centered, b ← μb + u, w ← w - lr·b.
 *
 * @example
 * ```ts
 * import { rmsprop } from "attune/optimizers/rmsprop";
 * console.assert(rmsprop({ centered: true }).state([3], "w").mean === 3);
 * ```
 */
export const rmsprop: Factory<"optimizer", Partial<RmspropOptions>> = define({
  kind: "optimizer",
  name: "rmsprop",
  schema: v.strictObject({
    alpha: v.optional(fraction, 0.99),
    epsilon: v.optional(nonNegative, 1e-8),
    momentum: v.optional(nonNegative, 0),
    centered: v.optional(v.boolean(), false),
    ...commonEntries(),
  }),
  create: (options: RmspropOptions) => {
    const { alpha, epsilon, momentum, centered } = options;
    return withCommon(options, {
      elementwise: true,
      state: (shape) => ({
        square: sizeOf(shape),
        mean: centered ? sizeOf(shape) : 0,
        momentum: momentum > 0 ? sizeOf(shape) : 0,
      }),
      update: (span, update) => {
        const { parameter, gradient, state } = span as FlatParameter<"square" | "mean" | "momentum">;
        const decay = decayOf(update, options);
        for (let i = 0; i < parameter.length; i++) {
          const w = parameter[i] ?? 0;
          const g = (gradient[i] ?? 0) * update.gradientScale + decay * w;
          let spread = state.square[i] = alpha * (state.square[i] ?? 0) + (1 - alpha) * g * g;
          if (centered) {
            const mean = state.mean[i] = alpha * (state.mean[i] ?? 0) + (1 - alpha) * g;
            spread = Math.max(0, spread - mean * mean);
          }
          let u = g / (Math.sqrt(spread) + epsilon);
          if (momentum > 0) u = state.momentum[i] = momentum * (state.momentum[i] ?? 0) + u;
          parameter[i] = w - update.learningRate * u;
        }
      },
      decayWithoutGradient: idleCoupled(options),
    });
  },
});
