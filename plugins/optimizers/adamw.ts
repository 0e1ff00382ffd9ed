/**
 * AdamW.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Span } from "../../core/types.ts";

/** Options of {@link adamw}. */
export interface AdamwOptions {
  /** Decay of weights apart from the gradient, times the learning rate. */
  readonly weightDecay: number;
  /** Decay of the mean of gradients. */
  readonly beta1: number;
  /** Decay of the mean of squared gradients. */
  readonly beta2: number;
  /** Added to the denominator. */
  readonly epsilon: number;
}

const rate = v.pipe(v.number(), v.minValue(0), v.ltValue(1));

/** Schema of {@link AdamwOptions}. */
export const adamwSchema: v.GenericSchema<Partial<AdamwOptions>, AdamwOptions> = v.strictObject({
  weightDecay: v.optional(v.pipe(v.number(), v.minValue(0)), 0),
  beta1: v.optional(rate, 0.9),
  beta2: v.optional(rate, 0.999),
  epsilon: v.optional(v.pipe(v.number(), v.minValue(0)), 1e-8),
});

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019), in one fused pass, as torch.optim.AdamW:
 * m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w(1 - lr·λ) - lr · m̂ / (√v̂ + ε).
 *
 * @example
 * ```ts
 * import { adamw } from "attune/optimizers/adamw";
 * console.assert(Object.keys(adamw({ weightDecay: 0.01 }).state([2])).join() === "m,v");
 * ```
 */
export const adamw: Factory<"optimizer", Partial<AdamwOptions>> = define({
  kind: "optimizer",
  name: "adamw",
  schema: adamwSchema,
  create: ({ weightDecay, beta1, beta2, epsilon }) => ({
    elementwise: true,
    state: (shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return { m: size, v: size };
    },
    update: (span, { step, learningRate, decays, gradientScale }, kernels) =>
      kernels.adamw(span as Span<"m" | "v">, {
        step,
        learningRate,
        beta1,
        beta2,
        epsilon,
        weightDecay: decays ? weightDecay : 0,
        gradientScale,
      }),
    idle: ({ learningRate, decays }) => (decays ? 1 - learningRate * weightDecay : 1),
  }),
});
