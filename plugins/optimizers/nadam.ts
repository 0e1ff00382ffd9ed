/**
 * Adam with Nesterov momentum.
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

/** Options of {@link nadam}. */
export interface NadamOptions extends AdamwOptions {
  /** How fast the momentum grows towards β₁. */
  readonly momentumDecay: number;
  /** Whether weight decay is decoupled from the gradient, as in AdamW; otherwise λ is an L2 term. */
  readonly decoupledWeightDecay: boolean;
}

/** Schema of {@link NadamOptions}. */
export const nadamSchema: v.GenericSchema<Partial<NadamOptions>, NadamOptions> = v.strictObject({
  beta1: v.optional(fraction, 0.9),
  beta2: v.optional(fraction, 0.999),
  epsilon: v.optional(nonNegative, 1e-8),
  momentumDecay: v.optional(nonNegative, 0.004),
  decoupledWeightDecay: v.optional(v.boolean(), false),
  ...commonEntries(),
});

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
  schema: nadamSchema,
  create: (options) => {
    const { beta1, beta2, epsilon, momentumDecay, decoupledWeightDecay } = options;
    const momentum = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
    return withCommon(options, {
      elementwise: true,
      state: (shape) => ({ m: sizeOf(shape), v: sizeOf(shape) }),
      update: (span, update) => {
        const { parameter, gradient, state: { m, v } } = span as FlatParameter<"m" | "v">;
        const { step, learningRate } = update;
        const decay = decayOf(update, options);
        const keep = decoupledWeightDecay ? 1 - learningRate * decay : 1;
        const l2 = decoupledWeightDecay ? 0 : decay;
        const [now, next] = [momentum(step), momentum(step + 1)];
        // Of the step alone, so that it need not be kept.
        let product = 1;
        for (let t = 1; t <= step; t++) product *= momentum(t);
        const ofGradient = learningRate * (1 - now) / (1 - product);
        const ofMean = learningRate * next / (1 - product * next);
        const root = Math.sqrt(1 - beta2 ** step);
        for (let i = 0; i < parameter.length; i++) {
          const w = parameter[i] ?? 0;
          const g = (gradient[i] ?? 0) * update.gradientScale + l2 * w;
          const mean = m[i] = beta1 * (m[i] ?? 0) + (1 - beta1) * g;
          const square = v[i] = beta2 * (v[i] ?? 0) + (1 - beta2) * g * g;
          parameter[i] = w * keep - (ofGradient * g + ofMean * mean) / (Math.sqrt(square) / root + epsilon);
        }
      },
      decayWithoutGradient: decoupledWeightDecay ? idleDecoupled(options) : idleCoupled(options),
    });
  },
});
