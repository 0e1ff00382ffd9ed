/**
 * Lion.
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
  idleDecoupled,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link lion}. */
export interface LionOptions extends CommonOptions {
  /** The share of the momentum in a step. */
  readonly beta1: number;
  /** Decay of the momentum. */
  readonly beta2: number;
}

/**
 * Lion (Chen et al. 2023): u = sign(β₁m + (1-β₁)g), w ← w(1 - lr·λ) - lr·u, m ← β₂m + (1-β₂)g. Rates are about a tenth
 * of AdamW's.
 *
 * @example
 * ```ts
 * import { lion } from "attune/optimizers/lion";
 * console.assert(lion({ weightDecay: 0.1 }).elementwise);
 * ```
 */
export const lion: Factory<"optimizer", Partial<LionOptions>> = define({
  kind: "optimizer",
  name: "lion",
  schema: v.strictObject({
    beta1: v.optional(fraction, 0.9),
    beta2: v.optional(fraction, 0.99),
    ...commonEntries(),
  }),
  create: (options: LionOptions) => {
    const { beta1, beta2 } = options;
    return withCommon(options, {
      elementwise: true,
      state: (shape) => ({ m: sizeOf(shape) }),
      update: (span, update) => {
        const { parameter, gradient, state: { m } } = span as FlatParameter<"m">;
        const keep = 1 - update.learningRate * decayOf(update, options);
        for (let i = 0; i < parameter.length; i++) {
          const g = (gradient[i] ?? 0) * update.gradientScale;
          const before = m[i] ?? 0;
          const u = Math.sign(beta1 * before + (1 - beta1) * g);
          parameter[i] = (parameter[i] ?? 0) * keep - update.learningRate * u;
          m[i] = beta2 * before + (1 - beta2) * g;
        }
      },
      decayWithoutGradient: idleDecoupled(options),
    });
  },
});
