/**
 * Adam's step by the largest mean of squares so far.
 * @module
 */
import type { FlatParameter, StepContext } from "../../core/types.ts";

/** AMSGrad (Reddi et al. 2018) as torch has it; `decay` is an L2 term of the gradient. */
export function amsgradStep(
  { parameter, gradient, state: { m, v, largest } }: FlatParameter<"m" | "v" | "largest">,
  { step, learningRate, gradientScale }: StepContext,
  { beta1, beta2, epsilon }: Readonly<Record<"beta1" | "beta2" | "epsilon", number>>,
  decay: number,
): void {
  const size = learningRate / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < parameter.length; i++) {
    const w = parameter[i] ?? 0;
    const g = (gradient[i] ?? 0) * gradientScale + decay * w;
    const mean = m[i] = beta1 * (m[i] ?? 0) + (1 - beta1) * g;
    const square = v[i] = beta2 * (v[i] ?? 0) + (1 - beta2) * g * g;
    const most = largest[i] = Math.max(largest[i] ?? 0, square);
    parameter[i] = w - size * mean / (Math.sqrt(most) / root + epsilon);
  }
}
