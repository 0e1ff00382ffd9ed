/**
 * RMSprop.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import {
  commonEntries,
  type CommonOptions,
  elementwise,
  fraction,
  moveMean,
  moveSquare,
  nonNegative,
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
    const states = { square: true, mean: centered, momentum: momentum > 0 };
    return elementwise(options, states, false, ({ learningRate }, { square, mean, momentum: b }) => (g, i) => {
      let spread = moveSquare(square, i, alpha, g);
      if (centered) {
        const center = moveMean(mean, i, alpha, g);
        spread = Math.max(0, spread - center * center);
      }
      let u = g / (Math.sqrt(spread) + epsilon);
      if (momentum > 0) u = b[i] = momentum * (b[i] ?? 0) + u;
      return learningRate * u;
    });
  },
});
