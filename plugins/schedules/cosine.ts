/**
 * The cosine schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { cos } from "../../core/math/math.ts";
import type { Factory } from "../../core/types.ts";
import { warmUp, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/** Options of {@link cosine}. */
export interface CosineOptions extends WarmupOptions {
  /** Cosine cycles after warm-up; a half falls to 0 once. */
  readonly numCycles: number;
}

/**
 * Warm-up, then (1 + cos(2π · numCycles · progress)) / 2 (Loshchilov & Hutter 2017).
 *
 * @example
 * ```ts
 * import { cosine } from "attune/schedules/cosine";
 * console.assert(Math.abs(cosine().factor(5, 10, 1e-3) - 0.5) < 1e-12);
 * ```
 */
export const cosine: Factory<"schedule", Partial<CosineOptions>> = define({
  kind: "schedule",
  name: "cosine",
  schema: v.strictObject({
    warmupSteps,
    numCycles: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 0.5),
  }),
  create: ({ warmupSteps, numCycles }: CosineOptions) => ({
    factor: (step, totalSteps) =>
      warmUp(
        step,
        totalSteps,
        warmupSteps,
        (since, length) => Math.max(0, 0.5 * (1 + cos(Math.PI * numCycles * 2 * (since / length)))),
      ),
  }),
});
