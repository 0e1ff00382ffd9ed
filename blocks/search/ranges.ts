/** Values of an option in a search. */
import { exp, log as ln } from "../../core/math/math.ts";
import type { Json, Random, Space } from "../../core/types.ts";

/** A range of numbers. */
export type NumericSpace = Exclude<Space, { type: "categorical" }>;

/** Returns the distance between neighbouring values; undefined if all numbers of the range are values. */
export function stepOf({ type, step, log = false }: NumericSpace): number | undefined {
  return step ?? (type === "int" && !log ? 1 : undefined);
}

/** Returns the largest value that is a whole number of steps from the lowest. */
export function lastOf(space: NumericSpace): number {
  const step = stepOf(space);
  // Sums of steps may slightly exceed the end.
  const last = step === undefined ? space.high : space.low + Math.floor((space.high - space.low) / step + 1e-9) * step;
  return Math.min(space.high, last);
}

/** Returns the value of a range that is nearest to a number. */
export function nearestIn(space: NumericSpace, value: number): number {
  const step = stepOf(space);
  const last = lastOf(space);
  const stepped = step === undefined ? value : space.low + Math.round((value - space.low) / step) * step;
  const whole = space.type === "int" ? Math.round(stepped) : stepped;
  return Math.min(last, Math.max(space.low, whole));
}

/** Draws a value uniformly, on a logarithmic scale if the space asks for it. */
export function drawFrom(space: Space, random: Random, index = 0): Json {
  const u = random.uniform(index);
  if (space.type === "categorical") return space.choices[Math.floor(u * space.choices.length)] ?? null;
  const { low, high, type, log = false } = space;
  const step = stepOf(space);
  if (step !== undefined) return nearestIn(space, low + Math.floor(u * ((lastOf(space) - low) / step + 1)) * step);
  // Integers get half a step of room at both ends, so that the first and last are as likely as the others.
  const room = type === "int" ? 0.5 : 0;
  if (!log) return low + u * (high - low);
  const [from, to] = [ln(low - room), ln(high + room)];
  return nearestIn(space, exp(from + u * (to - from)));
}
