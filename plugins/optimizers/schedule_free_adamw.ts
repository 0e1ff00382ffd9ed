/**
 * Schedule-free AdamW.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  type AdamOptions,
  commonEntries,
  decayOf,
  moveSquare,
  nonNegative,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link scheduleFreeAdamw}. */
export interface ScheduleFreeAdamOptions extends AdamOptions {
  /** The weight of a step in the average: its number to this power, */
  readonly r: number;
  /** times the largest rate so far to this power. */
  readonly weightLrPower: number;
}

const share = v.pipe(v.number(), v.gtValue(0), v.ltValue(1));

/**
 * Schedule-free AdamW (Defazio et al. 2024): z steps, x is the mean of all z, and gradients are taken between the two,
 * u = g / (√v̂ + ε) + λy, z ← z - lr·u, x ← (1-c)x + cz, y = (1-β₁)z + β₁x. Evaluates and saves x. Needs one of the
 * schedules `constant` or `constant-with-warmup`.
 *
 * @example
 * ```ts
 * import { scheduleFreeAdamw } from "attune/optimizers/schedule-free-adamw";
 * console.assert(scheduleFreeAdamw().swapEvaluationWeights !== undefined);
 * ```
 */
export const scheduleFreeAdamw: Factory<"optimizer", Partial<ScheduleFreeAdamOptions>> = define({
  kind: "optimizer",
  name: "schedule-free-adamw",
  schema: v.strictObject({
    beta1: v.optional(share, 0.9),
    beta2: v.optional(share, 0.999),
    epsilon: v.optional(nonNegative, 1e-8),
    r: v.optional(nonNegative, 0),
    weightLrPower: v.optional(nonNegative, 2),
    ...commonEntries(),
  }),
  create: (options: ScheduleFreeAdamOptions) => {
    const { beta1, beta2, epsilon, r, weightLrPower } = options;
    return withCommon(options, {
      elementwise: false,
      // sums: the total weight of steps so far, and the largest rate.
      state: (shape) => ({ z: sizeOf(shape), v: sizeOf(shape), sums: 2 }),
      update: (span, update) => {
        const { parameter: y, gradient, state: { z, v, sums } } = span as FlatParameter<"z" | "v" | "sums">;
        const { step, learningRate } = update;
        if (step === 1) z.set(y);
        const largest = sums[1] = Math.max(sums[1] ?? 0, learningRate);
        const weight = step ** r * largest ** weightLrPower;
        const total = sums[0] = (sums[0] ?? 0) + weight;
        const c = total > 0 ? weight / total : 0;
        const decay = decayOf(update, options);
        const root = Math.sqrt(1 - beta2 ** step);
        for (let i = 0; i < y.length; i++) {
          const g = (gradient[i] ?? 0) * update.gradientScale;
          const square = moveSquare(v, i, beta2, g);
          const at = y[i] ?? 0;
          const before = z[i] ?? 0;
          const after = z[i] = before - learningRate * (g / (Math.sqrt(square) / root + epsilon) + decay * at);
          // The mean is not stored: it follows from y and z.
          const mean = (at - (1 - beta1) * before) / beta1;
          y[i] = (1 - beta1) * after + beta1 * ((1 - c) * mean + c * after);
        }
      },
      swapEvaluationWeights: ({ parameter: y, state: { z } }, to) => {
        for (let i = 0; i < y.length; i++) to[i] = ((y[i] ?? 0) - (1 - beta1) * (z?.[i] ?? 0)) / beta1;
      },
    });
  },
});
