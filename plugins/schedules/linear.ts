/**
 * The linear schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/**
 * Warm-up, then a linear decay to 0 after the last step.
 *
 * @example
 * ```ts
 * import { linear } from "attune/schedules/linear";
 * console.assert(linear().factor(5, 10, 1e-3) === 0.5);
 * ```
 */
export const linear: Factory<"schedule", Partial<WarmupOptions>> = define({
  kind: "schedule",
  name: "linear",
  schema: v.strictObject({ warmupSteps }),
  create: ({ warmupSteps }: WarmupOptions) => ({
    factor: (step, totalSteps) =>
      warmUp(step, totalSteps, warmupSteps, (since, length) => Math.max(0, (length - since) / length)),
  }),
});
