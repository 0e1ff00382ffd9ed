/**
 * The scale of losses whose gradients have 16 bits, by torch's GradScaler, to the number: a small state machine that
 * the loop carries from step to step.
 */
import type { LossScaleOptions } from "../types.ts";

/** Where a scale stands. `growthTracker`: good steps since it last changed; `goodSteps`: all that were not skipped. */
export type LossScale = Readonly<{ scale: number; growthTracker: number; goodSteps: number }>;

/** Creates the loss scale of the first step. */
export function createLossScale({ initScale }: LossScaleOptions): LossScale {
  return { scale: Math.fround(initScale), growthTracker: 0, goodSteps: 0 };
}

/** What gradients are multiplied by, in float32, to be those of the loss itself: 1/scale, divided in float64. */
export function inverseScale(scale: number): number {
  return Math.fround(1 / scale);
}

/**
 * The scale behind a step. `overflowed`: some gradient was not finite before it was unscaled; such a step is skipped,
 * and the scale backs off. It grows after `growthInterval` steps without that, where the larger one is still a finite
 * float32.
 */
export function updateLossScale(
  { scale, growthTracker, goodSteps }: LossScale,
  { growthFactor, backoffFactor, growthInterval }: LossScaleOptions,
  overflowed: boolean,
): LossScale {
  if (overflowed) return { scale: Math.fround(scale * backoffFactor), growthTracker: 0, goodSteps };
  if (growthTracker + 1 < growthInterval) return { scale, growthTracker: growthTracker + 1, goodSteps: goodSteps + 1 };
  const next = Math.fround(scale * growthFactor);
  return { scale: Number.isFinite(next) ? next : scale, growthTracker: 0, goodSteps: goodSteps + 1 };
}
