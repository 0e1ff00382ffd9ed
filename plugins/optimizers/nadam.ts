/**
 * Adam with Nesterov momentum.
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
  nonNegative,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link nadam}. */
export interface NadamOptions extends AdamVariantOptions {
  /** How fast the momentum grows towards β₁. */
  readonly momentumDecay: number;
}

/**
 * NAdam (Dozat 2016) as torch.optim.NAdam: Adam that looks one momentum step ahead, with μₜ = β₁(1 - ½·0.96^(tψ)):
 * w ← w - lr (μₜ₊₁ m / (1 - Π μ to t+1) + (1-μₜ) g / (1 - Π μ to t)) / (√v̂ + ε).
 *
 * @example
 * ```ts
 * import { nadam } from "attune/optimizers/nadam";
 * console.assert(nadam().state([4], "w").v === 4);
 * ```
 */
export const nadam: Factory<"optimizer", Partial<NadamOptions>> = define({
  kind: "optimizer",
  name: "nadam",
  schema: v.strictObject({
    ...adamEntries(),
    momentumDecay: v.optional(nonNegative, 0.004),
    decoupledWeightDecay: v.optional(v.boolean(), false),
    ...commonEntries(),
  }),
  create: (options: NadamOptions) => {
    const { beta1, beta2, epsilon, momentumDecay, decoupledWeightDecay } = options;
    const momentum = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
    return elementwise(options, { m: true, v: true }, decoupledWeightDecay, ({ step, learningRate }, { m, v }) => {
      const [now, next] = [momentum(step), momentum(step + 1)];
      // Depends only on the step number, so it is not stored.
      let product = 1;
      for (let t = 1; t <= step; t++) product *= momentum(t);
      const ofGradient = learningRate * (1 - now) / (1 - product);
      const ofMean = learningRate * next / (1 - product * next);
      const root = Math.sqrt(1 - beta2 ** step);
      return (g, i) =>
        (ofGradient * g + ofMean * moveMean(m, i, beta1, g)) /
        (Math.sqrt(moveSquare(v, i, beta2, g)) / root + epsilon);
    });
  },
});
