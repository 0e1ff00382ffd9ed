/**
 * Rectified Adam.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import type { AdamwOptions } from "./adamw.ts";
import {
  commonEntries,
  decayOf,
  fraction,
  idleCoupled,
  idleDecoupled,
  nonNegative,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link radam}. */
export interface RadamOptions extends AdamwOptions {
  /** Whether weight decay is decoupled from the gradient, as in AdamW; otherwise λ is an L2 term. */
  readonly decoupledWeightDecay: boolean;
}

/** Schema of {@link RadamOptions}. */
export const radamSchema: v.GenericSchema<Partial<RadamOptions>, RadamOptions> = v.strictObject({
  beta1: v.optional(fraction, 0.9),
  beta2: v.optional(fraction, 0.999),
  epsilon: v.optional(nonNegative, 1e-8),
  decoupledWeightDecay: v.optional(v.boolean(), false),
  ...commonEntries(),
});

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
export const radam: Factory<"optimizer", Partial<RadamOptions>> = define({
  kind: "optimizer",
  name: "radam",
  schema: radamSchema,
  create: (options) => {
    const { beta1, beta2, epsilon, decoupledWeightDecay } = options;
    return withCommon(options, {
      elementwise: true,
      state: (shape) => ({ m: sizeOf(shape), v: sizeOf(shape) }),
      update: (span, update) => {
        const { parameter, gradient, state: { m, v } } = span as FlatParameter<"m" | "v">;
        const { step, learningRate } = update;
        const decay = decayOf(update, options);
        const keep = decoupledWeightDecay ? 1 - learningRate * decay : 1;
        const l2 = decoupledWeightDecay ? 0 : decay;
        const size = learningRate / (1 - beta1 ** step);
        const power = beta2 ** step;
        const most = 2 / (1 - beta2) - 1;
        const known = most - 2 * step * power / (1 - power);
        const rectified = known > 5
          ? Math.sqrt((known - 4) * (known - 2) * most / ((most - 4) * (most - 2) * known)) * Math.sqrt(1 - power)
          : 0;
        for (let i = 0; i < parameter.length; i++) {
          const w = parameter[i] ?? 0;
          const g = (gradient[i] ?? 0) * update.gradientScale + l2 * w;
          const mean = m[i] = beta1 * (m[i] ?? 0) + (1 - beta1) * g;
          const square = v[i] = beta2 * (v[i] ?? 0) + (1 - beta2) * g * g;
          parameter[i] = w * keep - size * mean * (rectified > 0 ? rectified / (Math.sqrt(square) + epsilon) : 1);
        }
      },
      decayWithoutGradient: decoupledWeightDecay ? idleDecoupled(options) : idleCoupled(options),
    });
  },
});
