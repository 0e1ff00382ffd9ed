/** Warm-up, the first phase of a schedule. */
import * as v from "valibot";

/** Options of warm-up. */
export interface WarmupOptions {
  /** Steps in which the rate rises linearly from 0; below 1, a share of all steps, rounded up. */
  readonly warmupSteps: number;
}

/** Schema of {@link WarmupOptions}' only field. */
export const warmupSteps: v.OptionalSchema<v.GenericSchema<number>, 0> = v.optional(
  v.pipe(v.number(), v.finite(), v.minValue(0)),
  0,
);

/** Returns the number of warm-up steps. */
export function warmupLength(warmupSteps: number, totalSteps: number): number {
  return warmupSteps < 1 ? Math.ceil(warmupSteps * totalSteps) : Math.floor(warmupSteps);
}

/**
 * Returns the factor of the rate: a line that rises from 0, then `after`, which receives the number of steps since
 * warm-up and their total number.
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
