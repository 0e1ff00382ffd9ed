/**
 * LAMB.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  adamEntries,
  type AdamOptions,
  commonEntries,
  decayOf,
  moveMean,
  moveSquare,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/**
 * LAMB (You et al. 2020), for large batches: Adam's direction r = m̂ / (√v̂ + ε) + λw, as long as each tensor is,
 * w ← w - lr · |w|/|r| · r (the ratio is 1 if a length is 0).
 *
 * @example
 * ```ts
 * import { lamb } from "attune/optimizers/lamb";
 * console.assert(!lamb({ weightDecay: 0.01 }).elementwise);
 * ```
 */
export const lamb: Factory<"optimizer", Partial<AdamOptions>> = define({
  kind: "optimizer",
  name: "lamb",
  schema: v.strictObject({
    ...adamEntries(1e-6),
    ...commonEntries(),
  }),
  create: (options: AdamOptions) => {
    const { beta1, beta2, epsilon } = options;
    return withCommon(options, {
      elementwise: false,
      state: (shape) => ({ m: sizeOf(shape), v: sizeOf(shape) }),
      update: (span, update, kernels) => {
        const { parameter, gradient, state: { m, v } } = span as FlatParameter<"m" | "v">;
        const decay = decayOf(update, options);
        const size = 1 / (1 - beta1 ** update.step);
        const root = Math.sqrt(1 - beta2 ** update.step);
        const direction = new Float64Array(parameter.length);
        let length = 0;
        for (let i = 0; i < parameter.length; i++) {
          const g = (gradient[i] ?? 0) * update.gradientScale;
          const [mean, square] = [moveMean(m, i, beta1, g), moveSquare(v, i, beta2, g)];
          const r = direction[i] = size * mean / (Math.sqrt(square) / root + epsilon) + decay * (parameter[i] ?? 0);
          length += r * r;
        }
        const weight = Math.sqrt(kernels.sumOfSquares(parameter));
        const trust = weight > 0 && length > 0 ? weight / Math.sqrt(length) : 1;
        const step = update.learningRate * trust;
        for (let i = 0; i < parameter.length; i++) parameter[i] = (parameter[i] ?? 0) - step * (direction[i] ?? 0);
      },
    });
  },
});
