/** Adam and AdamW: the fused kernels, or AMSGrad instead. */
import * as v from "valibot";
import type { FlatParameter, Optimizer, Plugin, StepContext } from "../../core/types.ts";
import {
  adamEntries,
  type AdamOptions,
  commonEntries,
  decayOf,
  idleCoupled,
  idleDecoupled,
  sizeOf,
  withCommon,
} from "./common.ts";
import { moveMean, moveSquare } from "./elementwise.ts";

/** Options of Adam and AdamW. */
export interface AmsgradOptions extends AdamOptions {
  /** Whether to divide by the largest mean of squares so far (Reddi et al. 2018). */
  readonly amsgrad: boolean;
}

/** Schema of {@link AmsgradOptions}. */
export const amsgradSchema: v.GenericSchema<Partial<AmsgradOptions>, AmsgradOptions> = v.strictObject({
  ...adamEntries(),
  amsgrad: v.optional(v.boolean(), false),
  ...commonEntries(),
});

/** Returns Adam in one fused pass; `decoupled`: with AdamW's weight decay. */
export function fusedAdam(options: AmsgradOptions, decoupled: boolean): Omit<Optimizer, keyof Plugin> {
  const { beta1, beta2, epsilon, amsgrad } = options;
  return withCommon(options, {
    elementwise: true,
    state: (shape) => ({ m: sizeOf(shape), v: sizeOf(shape), ...(amsgrad ? { largest: sizeOf(shape) } : {}) }),
    update: (span, update, kernels) => {
      const weightDecay = decayOf(update, options);
      if (!amsgrad) {
        const factors = { ...update, beta1, beta2, epsilon, weightDecay };
        kernels[decoupled ? "adamw" : "adam"](span as FlatParameter<"m" | "v">, factors);
        return;
      }
      const keep = 1 - update.learningRate * weightDecay;
      if (decoupled) {
        for (let i = 0; i < span.parameter.length; i++) span.parameter[i] = (span.parameter[i] ?? 0) * keep;
      }
      amsgradStep(span as FlatParameter<"m" | "v" | "largest">, update, options, decoupled ? 0 : weightDecay);
    },
    decayWithoutGradient: decoupled ? idleDecoupled(options) : idleCoupled(options),
  });
}

/** Does a step of AMSGrad (Reddi et al. 2018) like torch; `decay` is an L2 term of the gradient. */
function amsgradStep(
  { parameter, gradient, state: { m, v, largest } }: FlatParameter<"m" | "v" | "largest">,
  { step, learningRate, gradientScale }: StepContext,
  { beta1, beta2, epsilon }: AdamOptions,
  decay: number,
): void {
  const size = learningRate / (1 - beta1 ** step);
  const root = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < parameter.length; i++) {
    const w = parameter[i] ?? 0;
    const g = (gradient[i] ?? 0) * gradientScale + decay * w;
    const mean = moveMean(m, i, beta1, g);
    const most = largest[i] = Math.max(largest[i] ?? 0, moveSquare(v, i, beta2, g));
    parameter[i] = w - size * mean / (Math.sqrt(most) / root + epsilon);
  }
}
