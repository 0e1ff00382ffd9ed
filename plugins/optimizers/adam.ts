/**
 * Adam.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import { adamwSchema, type AmsgradOptions } from "./adamw.ts";
import { amsgradStep } from "./largest.ts";
import { decayOf, idleCoupled, sizeOf, withCommon } from "../../blocks/optimizer/mod.ts";

/**
 * Adam (Kingma & Ba 2015) as torch.optim.Adam: weight decay is an L2 term of the gradient, g ← g + λw,
 * m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w - lr · m̂ / (√v̂ + ε).
 *
 * @example
 * ```ts
 * import { adam } from "attune/optimizers/adam";
 * console.assert(adam({ amsgrad: true }).state([2], "w").largest === 2);
 * ```
 */
export const adam: Factory<"optimizer", Partial<AmsgradOptions>> = define({
  kind: "optimizer",
  name: "adam",
  schema: adamwSchema,
  create: (options: AmsgradOptions) => {
    const { beta1, beta2, epsilon, amsgrad } = options;
    return withCommon(options, {
      elementwise: true,
      state: (shape) => ({ m: sizeOf(shape), v: sizeOf(shape), largest: amsgrad ? sizeOf(shape) : 0 }),
      update: (span, update, kernels) => {
        const weightDecay = decayOf(update, options);
        if (amsgrad) amsgradStep(span as FlatParameter<"m" | "v" | "largest">, update, options, weightDecay);
        else kernels.adam(span as FlatParameter<"m" | "v">, { ...update, beta1, beta2, epsilon, weightDecay });
      },
      decayWithoutGradient: idleCoupled(options),
    });
  },
});
