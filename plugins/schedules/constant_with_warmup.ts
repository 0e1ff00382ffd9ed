/**
 * The constant schedule with warm-up.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/**
 * Warm-up, then a constant learning rate.
 *
 * @example
 * ```ts
 * import { constantWithWarmup } from "attune/schedules/constant-with-warmup";
 * console.assert(constantWithWarmup({ warmupSteps: 0.2 }).factor(1, 10, 1e-3) === 0.5);
 * ```
 */
export const constantWithWarmup: Factory<"schedule", Partial<WarmupOptions>> = define({
  kind: "schedule",
  name: "constant-with-warmup",
  schema: v.strictObject({ warmupSteps }),
  create: ({ warmupSteps }: WarmupOptions) => ({
    factor: (step, totalSteps) => warmUp(step, totalSteps, warmupSteps, () => 1),
  }),
});
