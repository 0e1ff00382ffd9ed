/** Elementwise optimizers: an update rule for single weights, extended by weight decay and state. */
import type { FlatParameter, Optimizer, Plugin, StepContext } from "../../core/types.ts";
import { type CommonOptions, decayOf, idleCoupled, idleDecoupled, sizeOf, withCommon } from "./common.ts";

/** Returns what is subtracted from a weight, given its gradient and its index in the states. */
export type WeightChange = (gradient: number, i: number) => number;

/**
 * Returns an elementwise optimizer. `states`: the values kept for each weight; `decoupled`: whether weight decay
 * shrinks the weights themselves, as in AdamW, or is an L2 term of the gradient; `changeOf`: the rule of one step.
 */
export function elementwise<S extends string>(
  options: CommonOptions,
  states: Readonly<Record<S, boolean>>,
  decoupled: boolean,
  changeOf: (update: StepContext, state: Readonly<Record<S, Float32Array>>) => WeightChange,
): Omit<Optimizer, keyof Plugin> {
  return withCommon(options, {
    elementwise: true,
    state: (shape) =>
      Object.fromEntries(Object.entries(states).map(([name, kept]) => [name, kept ? sizeOf(shape) : 0])),
    update: (span, update) => {
      const { parameter, gradient, state } = span as FlatParameter<S>;
      const decay = decayOf(update, options);
      const keep = decoupled ? 1 - update.learningRate * decay : 1;
      const l2 = decoupled ? 0 : decay;
      const change = changeOf(update, state);
      for (let i = 0; i < parameter.length; i++) {
        const w = parameter[i] ?? 0;
        parameter[i] = w * keep - change((gradient[i] ?? 0) * update.gradientScale + l2 * w, i);
      }
    },
    decayWithoutGradient: decoupled ? idleDecoupled(options) : idleCoupled(options),
  });
}

/** Updates element i of the moving mean x ← βx + (1-β)g; returns it before it is rounded. */
export function moveMean(x: Float32Array, i: number, beta: number, g: number): number {
  return x[i] = beta * (x[i] ?? 0) + (1 - beta) * g;
}

/** Updates element i of the moving mean of squares x ← βx + (1-β)g²; returns it before it is rounded. */
export function moveSquare(x: Float32Array, i: number, beta: number, g: number): number {
  return x[i] = beta * (x[i] ?? 0) + (1 - beta) * g * g;
}
