/**
 * AdamW.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import { amsgradStep } from "./largest.ts";
import {
  commonEntries,
  type CommonOptions,
  decayOf,
  fraction,
  idleDecoupled,
  nonNegative,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link adamw}. */
export interface AdamwOptions extends CommonOptions {
  /** Decay of the mean of gradients. */
  readonly beta1: number;
  /** Decay of the mean of squared gradients. */
  readonly beta2: number;
  /** Added to the denominator. */
  readonly epsilon: number;
}

/** Options of AdamW: those of Adam, and AMSGrad. */
export interface AmsgradOptions extends AdamwOptions {
  /** Whether to divide by the largest mean of squares so far (Reddi et al. 2018). */
  readonly amsgrad: boolean;
}

/** Schema of {@link AmsgradOptions}. */
export const adamwSchema: v.GenericSchema<Partial<AmsgradOptions>, AmsgradOptions> = v.strictObject({
  beta1: v.optional(fraction, 0.9),
  beta2: v.optional(fraction, 0.999),
  epsilon: v.optional(nonNegative, 1e-8),
  amsgrad: v.optional(v.boolean(), false),
  ...commonEntries(),
});

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019), in one fused pass, as torch.optim.AdamW:
 * m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w(1 - lr·λ) - lr · m̂ / (√v̂ + ε).
 *
 * @example
 * ```ts
 * import { adamw } from "attune/optimizers/adamw";
 * console.assert(Object.keys(adamw({ weightDecay: 0.01 }).state([2], "w")).join() === "m,v");
 * ```
 */
export const adamw: Factory<"optimizer", Partial<AmsgradOptions>> = define({
  kind: "optimizer",
  name: "adamw",
  schema: adamwSchema,
  create: (options) => {
    const { beta1, beta2, epsilon, amsgrad } = options;
    return withCommon(options, {
      elementwise: true,
      state: (shape) => ({ m: sizeOf(shape), v: sizeOf(shape), ...(amsgrad ? { largest: sizeOf(shape) } : {}) }),
      update: (span, update, kernels) => {
        const weightDecay = decayOf(update, options);
        if (amsgrad) {
          const decay = 1 - update.learningRate * weightDecay;
          for (let i = 0; i < span.parameter.length; i++) span.parameter[i] = (span.parameter[i] ?? 0) * decay;
          amsgradStep(span as FlatParameter<"m" | "v" | "largest">, update, options, 0);
        } else kernels.adamw(span as FlatParameter<"m" | "v">, { ...update, beta1, beta2, epsilon, weightDecay });
      },
      decayWithoutGradient: idleDecoupled(options),
    });
  },
});
