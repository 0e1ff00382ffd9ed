/**
 * The cosine schedule with a minimum rate.
 * @module
 */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import { define } from "../../core/spec/define.ts";
import { cos } from "../../core/math/math.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/** Options of {@link cosineWithMinLr}; one of `minLr` and `minLrRate` is given. */
export interface CosineWithMinLrOptions extends WarmupOptions {
  /** Cosine cycles after warm-up; a half falls once. */
  readonly numCycles: number;
  /** The lowest learning rate. */
  readonly minLr?: number | undefined;
  /** The lowest learning rate as a share of the highest. */
  readonly minLrRate?: number | undefined;
}

const rate: v.GenericSchema<number> = v.pipe(v.number(), v.finite(), v.minValue(0));

/**
 * Warm-up, then a cosine between the learning rate and a minimum: c · (1 - m) + m, where c is the factor of the cosine
 * schedule and m the minimum.
 *
 * @example
 * ```ts
 * import { cosineWithMinLr } from "attune/schedules/cosine-with-min-lr";
 * console.assert(Math.abs(cosineWithMinLr({ minLr: 1e-4 }).factor(10, 10, 1e-3) - 0.1) < 1e-12);
 * ```
 */
export const cosineWithMinLr: Factory<"schedule", Partial<CosineWithMinLrOptions>> = define({
  kind: "schedule",
  name: "cosine-with-min-lr",
  schema: v.pipe(
    v.strictObject({
      warmupSteps,
      numCycles: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 0.5),
      minLr: v.optional(rate),
      minLrRate: v.optional(v.pipe(rate, v.maxValue(1))),
    }),
    v.check(({ minLr, minLrRate }) => (minLr === undefined) !== (minLrRate === undefined), "either minLr or minLrRate"),
  ),
  create: ({ warmupSteps, numCycles, minLr, minLrRate }: CosineWithMinLrOptions) => ({
    factor: (step, totalSteps, learningRate) => {
      const lowest = minLrRate ?? (minLr ?? 0) / learningRate;
      if (learningRate > 0 && lowest > 1) {
        throw badValue("cosine-with-min-lr", "minLr", minLr, `at most the learning rate ${learningRate}`);
      }
      return warmUp(step, totalSteps, warmupSteps, (since, length) => {
        const factor = 0.5 * (1 + cos(Math.PI * numCycles * 2 * (since / length)));
        return Math.max(0, factor * (1 - lowest) + lowest);
      });
    },
  }),
});
