/**
 * The linear schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/** Options of {@link linear}. */
export interface LinearOptions extends WarmupOptions {}

/** Schema of {@link LinearOptions}. */
export const linearSchema: v.GenericSchema<Partial<LinearOptions>, LinearOptions> = v.strictObject({ warmupSteps });

/**
 * Warm-up, then a linear decay to 0 after the last step.
 *
 * @example
 * ```ts
 * import { linear } from "attune/schedules/linear";
 * console.assert(linear().factor(5, 10, 1e-3) === 0.5);
 * ```
 */
export const linear: Factory<"schedule", Partial<LinearOptions>> = define({
  kind: "schedule",
  name: "linear",
  schema: linearSchema,
  create: ({ warmupSteps }) => ({
    factor: (step, totalSteps) =>
      warmUp(step, totalSteps, warmupSteps, (since, length) => Math.max(0, (length - since) / length)),
  }),
});
