/**
 * The inverse square root schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, warmupLength, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/** Options of {@link inverseSqrt}. */
export interface InverseSqrtOptions extends WarmupOptions {
  /**
   * The number of steps after warm-up in which the rate falls to 1/√2; null: as many as the warm-up has, or 10,000
   * without warm-up.
   */
  readonly timescale: number | null;
}

/**
 * Warm-up, then 1 / √(1 + steps since / timescale) (Zhai et al. 2022).
 *
 * @example
 * ```ts
 * import { inverseSqrt } from "attune/schedules/inverse-sqrt";
 * console.assert(inverseSqrt({ timescale: 2 }).factor(6, 10, 1e-3) === 0.5);
 * ```
 */
export const inverseSqrt: Factory<"schedule", Partial<InverseSqrtOptions>> = define({
  kind: "schedule",
  name: "inverse-sqrt",
  schema: v.strictObject({
    warmupSteps,
    timescale: v.optional(v.nullable(v.pipe(v.number(), v.finite(), v.gtValue(0))), null),
  }),
  create: ({ warmupSteps, timescale }: InverseSqrtOptions) => ({
    factor: (step, totalSteps) => {
      const scale = timescale ?? (warmupLength(warmupSteps, totalSteps) || 10_000);
      return warmUp(step, totalSteps, warmupSteps, (since) => 1 / Math.sqrt((since + scale) / scale));
    },
  }),
});
