/**
 * Rectified Adam.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { commonEntries, fraction, nonNegative } from "../../blocks/optimizer/mod.ts";
import { adamVariant, type AdamVariantOptions } from "./adam_variant.ts";

/**
 * RAdam (Liu et al. 2020) as torch.optim.RAdam: Adam whose step is scaled by how well the mean of squares is known,
 * w ← w - lr · m̂ · r · √(1-β₂ᵗ) / (√v + ε), r² = (ρₜ-4)(ρₜ-2)ρ / ((ρ-4)(ρ-2)ρₜ), and w ← w - lr · m̂ while ρₜ ≤ 5.
 *
 * @example
 * ```ts
 * import { radam } from "attune/optimizers/radam";
 * console.assert(radam({ decoupledWeightDecay: true }).elementwise);
 * ```
 */
export const radam: Factory<"optimizer", Partial<AdamVariantOptions>> = define({
  kind: "optimizer",
  name: "radam",
  schema: v.strictObject({
    beta1: v.optional(fraction, 0.9),
    beta2: v.optional(fraction, 0.999),
    epsilon: v.optional(nonNegative, 1e-8),
    decoupledWeightDecay: v.optional(v.boolean(), false),
    ...commonEntries(),
  }),
  create: (options: AdamVariantOptions) => {
    const { beta1, beta2, epsilon } = options;
    return adamVariant(options, ({ step, learningRate }) => {
      const size = learningRate / (1 - beta1 ** step);
      const power = beta2 ** step;
      const most = 2 / (1 - beta2) - 1;
      const known = most - 2 * step * power / (1 - power);
      const rectified = known > 5
        ? Math.sqrt((known - 4) * (known - 2) * most / ((most - 4) * (most - 2) * known)) * Math.sqrt(1 - power)
        : 0;
      return (_, mean, square) => size * mean * (rectified > 0 ? rectified / (Math.sqrt(square) + epsilon) : 1);
    });
  },
});
