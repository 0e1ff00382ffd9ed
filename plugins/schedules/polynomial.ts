/**
 * The polynomial schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { pow } from "../../core/math/math.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/** Options of {@link polynomial}. */
export interface PolynomialOptions extends WarmupOptions {
  /** The learning rate at the end. */
  readonly lrEnd: number;
  /** The exponent of the remaining share; 1 is linear. */
  readonly power: number;
}

/**
 * Warm-up, then (lr - lrEnd) · remaining^power + lrEnd, over lr.
 *
 * @throws AttuneError if the learning rate is not above `lrEnd`.
 * @example
 * ```ts
 * import { polynomial } from "attune/schedules/polynomial";
 * console.assert(Math.abs(polynomial({ power: 2, lrEnd: 0 }).factor(5, 10, 1e-3) - 0.25) < 1e-12);
 * ```
 */
export const polynomial: Factory<"schedule", Partial<PolynomialOptions>> = define({
  kind: "schedule",
  name: "polynomial",
  schema: v.strictObject({
    warmupSteps,
    lrEnd: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 1e-7),
    power: v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0)), 1),
  }),
  create: ({ warmupSteps, lrEnd, power }: PolynomialOptions) => ({
    factor: (step, totalSteps, learningRate) => {
      if (lrEnd >= learningRate) {
        throw badValue("polynomial", "lrEnd", lrEnd, `less than the learning rate ${learningRate}`);
      }
      return warmUp(step, totalSteps, warmupSteps, (since, length) => {
        const remaining = Math.max(0, 1 - since / length);
        const decayed = remaining === 0 ? 0 : power === 1 ? remaining : pow(remaining, power);
        return ((learningRate - lrEnd) * decayed + lrEnd) / learningRate;
      });
    },
  }),
});
