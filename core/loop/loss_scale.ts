/**
 * The scale of losses with 16-bit gradients, numerically identical to torch's GradScaler: a small state machine that
 * the loop carries from step to step.
 */
import type { LossScaleOptions } from "../types.ts";

/** State of a scale. `growthTracker`: good steps since the last change; `goodSteps`: all steps without overflow. */
export type LossScale = Readonly<{ scale: number; growthTracker: number; goodSteps: number }>;

/** Creates the loss scale of the first step. */
export function createLossScale({ initScale }: LossScaleOptions): LossScale {
  return { scale: Math.fround(initScale), growthTracker: 0, goodSteps: 0 };
}

/** Returns the float32 factor that unscales gradients: 1/scale, divided in float64. */
export function inverseScale(scale: number): number {
  return Math.fround(1 / scale);
}

/**
 * Returns the scale after a step. `overflowed`: a gradient was not finite before unscaling; such a step is skipped, and
 * the scale backs off. After `growthInterval` steps without overflow the scale grows, if it stays a finite float32.
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
