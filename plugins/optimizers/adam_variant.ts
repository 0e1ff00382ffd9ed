/**
 * What NAdam and RAdam share: Adam's moments and both kinds of weight decay, around a step of their own.
 * @module
 */
import type { FlatParameter, Optimizer, Plugin, StepContext } from "../../core/types.ts";
import { decayOf, idleCoupled, idleDecoupled, sizeOf, withCommon } from "../../blocks/optimizer/mod.ts";
import type { AdamwOptions } from "./adamw.ts";

/** Options of variants of Adam. */
export interface AdamVariantOptions extends AdamwOptions {
  /** Whether weight decay is decoupled from the gradient, as in AdamW; otherwise λ is an L2 term. */
  readonly decoupledWeightDecay: boolean;
}

/** What is subtracted from a weight, by its gradient and the means of gradients and of their squares. */
export type WeightChange = (gradient: number, mean: number, square: number) => number;

/** A variant of Adam; `changeOf`: how its weights change in a step. */
export function adamVariant(
  options: AdamVariantOptions,
  changeOf: (update: StepContext) => WeightChange,
): Omit<Optimizer, keyof Plugin> {
  const { beta1, beta2, decoupledWeightDecay } = options;
  return withCommon(options, {
    elementwise: true,
    state: (shape) => ({ m: sizeOf(shape), v: sizeOf(shape) }),
    update: (span, update) => {
      const { parameter, gradient, state: { m, v } } = span as FlatParameter<"m" | "v">;
      const decay = decayOf(update, options);
      const keep = decoupledWeightDecay ? 1 - update.learningRate * decay : 1;
      const l2 = decoupledWeightDecay ? 0 : decay;
      const change = changeOf(update);
      for (let i = 0; i < parameter.length; i++) {
        const w = parameter[i] ?? 0;
        const g = (gradient[i] ?? 0) * update.gradientScale + l2 * w;
        const mean = m[i] = beta1 * (m[i] ?? 0) + (1 - beta1) * g;
        const square = v[i] = beta2 * (v[i] ?? 0) + (1 - beta2) * g * g;
        parameter[i] = w * keep - change(g, mean, square);
      }
    },
    decayWithoutGradient: decoupledWeightDecay ? idleDecoupled(options) : idleCoupled(options),
  });
}
