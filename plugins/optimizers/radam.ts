/**
 * Rectified Adam.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import {
  adamEntries,
  type AdamVariantOptions,
  commonEntries,
  elementwise,
  moveMean,
  moveSquare,
} from "../../blocks/optimizer/mod.ts";

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
    ...adamEntries(),
    decoupledWeightDecay: v.optional(v.boolean(), false),
    ...commonEntries(),
  }),
  create: (options: AdamVariantOptions) => {
    const { beta1, beta2, epsilon, decoupledWeightDecay } = options;
    return elementwise(options, { m: true, v: true }, decoupledWeightDecay, ({ step, learningRate }, { m, v }) => {
      const size = learningRate / (1 - beta1 ** step);
      const power = beta2 ** step;
      const most = 2 / (1 - beta2) - 1;
      const known = most - 2 * step * power / (1 - power);
      const rectified = known > 5
        ? Math.sqrt((known - 4) * (known - 2) * most / ((most - 4) * (most - 2) * known)) * Math.sqrt(1 - power)
        : 0;
      return (g, i) => {
        const [mean, square] = [moveMean(m, i, beta1, g), moveSquare(v, i, beta2, g)];
        return size * mean * (rectified > 0 ? rectified / (Math.sqrt(square) + epsilon) : 1);
      };
    });
  },
});
