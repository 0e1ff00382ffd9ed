/**
 * The warm-up, stable, decay schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { cos } from "../../core/math/math.ts";
import type { Factory } from "../../core/types.ts";
import { warmupLength, type WarmupOptions, warmupSteps } from "../../blocks/schedule/mod.ts";

/** The shape of a transition between two rates. */
export type Shape = "linear" | "cosine" | "1-sqrt";

/** Options of {@link warmupStableDecay}. */
export interface WarmupStableDecayOptions extends WarmupOptions {
  /** Steps of decay at the end; below 1, a share of all steps, rounded up. */
  readonly numDecaySteps: number;
  /** Steps at a constant rate; null: the remaining ones. */
  readonly numStableSteps: number | null;
  /** How the rate rises. */
  readonly warmupType: Shape;
  /** How the rate falls. */
  readonly decayType: Shape;
  /** The lowest rate, at both ends, as a share of the highest. */
  readonly minLrRatio: number;
  /** Cycles of a cosine decay; a half falls once. */
  readonly numCycles: number;
}

type Input = Partial<WarmupStableDecayOptions> & Pick<WarmupStableDecayOptions, "numDecaySteps">;

const steps: v.GenericSchema<number> = v.pipe(v.number(), v.finite(), v.minValue(0));
const shape: v.GenericSchema<Shape> = v.picklist(["linear", "cosine", "1-sqrt"]);

/**
 * Warm-up, then a constant rate, then a decay (Hu et al. 2024).
 *
 * @example
 * ```ts
 * import { warmupStableDecay } from "attune/schedules/warmup-stable-decay";
 * const schedule = warmupStableDecay({ numDecaySteps: 4, decayType: "linear" });
 * console.assert(schedule.factor(6, 10, 1e-3) === 1 && schedule.factor(8, 10, 1e-3) === 0.5);
 * ```
 */
export const warmupStableDecay: Factory<"schedule", Input> = define({
  kind: "schedule",
  name: "warmup-stable-decay",
  schema: v.strictObject({
    warmupSteps,
    numDecaySteps: steps,
    numStableSteps: v.optional(v.nullable(steps), null),
    warmupType: v.optional(shape, "linear"),
    decayType: v.optional(shape, "cosine"),
    minLrRatio: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
    numCycles: v.optional(steps, 0.5),
  }),
  create: (
    { warmupSteps, numDecaySteps, numStableSteps, warmupType, decayType, minLrRatio, numCycles }:
      WarmupStableDecayOptions,
  ) => ({
    factor: (step, totalSteps) => {
      const warm = warmupLength(warmupSteps, totalSteps);
      const decay = warmupLength(numDecaySteps, totalSteps);
      const stable = warm + (numStableSteps ?? totalSteps - warm - decay);
      const above = (factor: number): number => Math.max(0, factor * (1 - minLrRatio) + minLrRatio);
      if (step < warm) {
        const progress = step / warm;
        if (warmupType === "linear") return above(progress);
        return above(warmupType === "cosine" ? 0.5 * (1 - cos(Math.PI * progress)) : 1 - Math.sqrt(1 - progress));
      }
      if (step < stable) return 1;
      if (step >= stable + decay) return minLrRatio;
      const progress = (step - stable) / decay;
      if (decayType === "linear") return above(1 - progress);
      return above(
        decayType === "cosine" ? 0.5 * (1 + cos(Math.PI * numCycles * 2 * progress)) : 1 - Math.sqrt(progress),
      );
    },
  }),
});
