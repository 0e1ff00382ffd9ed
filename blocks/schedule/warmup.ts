/** Warm-up: what every schedule does first. */
import * as v from "valibot";

/** Options of warm-up. */
export interface WarmupOptions {
  /** Steps in which the rate rises linearly from 0; below 1, a share of all steps, rounded up. */
  readonly warmupSteps: number;
}

/** Entry of the schemas of {@link WarmupOptions}. */
export const warmupSteps: v.OptionalSchema<v.GenericSchema<number>, 0> = v.optional(
  v.pipe(v.number(), v.finite(), v.minValue(0)),
  0,
);

/** How many steps warm up. */
export function warmupLength(warmupSteps: number, totalSteps: number): number {
  return warmupSteps < 1 ? Math.ceil(warmupSteps * totalSteps) : Math.floor(warmupSteps);
}

/**
 * The rising line, and `after` behind it. `after` is given the number of steps since warm-up and how many there are in
 * all.
 */
export function warmUp(
  step: number,
  totalSteps: number,
  warmupSteps: number,
  after: (since: number, length: number) => number,
): number {
  const warm = warmupLength(warmupSteps, totalSteps);
  return step < warm ? step / warm : after(step - warm, Math.max(1, totalSteps - warm));
}
