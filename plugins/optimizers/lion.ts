/**
 * Lion.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { commonEntries, type CommonOptions, elementwise, fraction, moveMean } from "../../blocks/optimizer/mod.ts";

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
    return elementwise(options, { m: true }, true, ({ learningRate }, { m }) => (g, i) => {
      const u = Math.sign(beta1 * (m[i] ?? 0) + (1 - beta1) * g);
      moveMean(m, i, beta2, g);
      return learningRate * u;
    });
  },
});
