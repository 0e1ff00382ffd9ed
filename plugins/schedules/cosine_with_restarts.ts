/**
 * The cosine schedule with hard restarts.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { cos } from "../../core/math/math.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/** Options of {@link cosineWithRestarts}. */
export interface CosineWithRestartsOptions extends WarmupOptions {
  /** How many times the rate falls from full to 0. */
  readonly numCycles: number;
}

/**
 * Warm-up, then a cosine from the full rate to 0, `numCycles` times (Loshchilov & Hutter 2017).
 *
 * @example
 * ```ts
 * import { cosineWithRestarts } from "attune/schedules/cosine-with-restarts";
 * console.assert(cosineWithRestarts({ numCycles: 2 }).factor(5, 10, 1e-3) === 1);
 * ```
 */
export const cosineWithRestarts: Factory<"schedule", Partial<CosineWithRestartsOptions>> = define({
  kind: "schedule",
  name: "cosine-with-restarts",
  schema: v.strictObject({
    warmupSteps,
    numCycles: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
  }),
  create: ({ warmupSteps, numCycles }: CosineWithRestartsOptions) => ({
    factor: (step, totalSteps) =>
      warmUp(step, totalSteps, warmupSteps, (since, length) => {
        const progress = since / length;
        return progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + cos(Math.PI * ((numCycles * progress) % 1))));
      }),
  }),
});
