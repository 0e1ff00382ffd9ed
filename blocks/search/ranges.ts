/**
 * Values of a searched option.
 * @module
 */
import { exp, log as ln } from "../../core/math/math.ts";
import type { Json, Random, Space } from "../../core/types.ts";

/** A range of numbers. */
export type NumericSpace = Exclude<Space, { type: "categorical" }>;

/** The distance between neighbouring values; undefined if there is none: all numbers of the range count. */
export function stepOf({ type, step, log = false }: NumericSpace): number | undefined {
  return step ?? (type === "int" && !log ? 1 : undefined);
}

/** The largest value that steps lead to. */
export function lastOf(own: NumericSpace): number {
  const step = stepOf(own);
  // Sums of steps may be a little more than the end.
  const last = step === undefined ? own.high : own.low + Math.floor((own.high - own.low) / step + 1e-9) * step;
  return Math.min(own.high, last);
}

/** The value of a range that is nearest to a number. */
export function nearestIn(own: NumericSpace, value: number): number {
  const step = stepOf(own);
  const last = lastOf(own);
  const stepped = step === undefined ? value : own.low + Math.round((value - own.low) / step) * step;
  const whole = own.type === "int" ? Math.round(stepped) : stepped;
  return Math.min(last, Math.max(own.low, whole));
}

/** A value drawn evenly, by the logarithm where that counts. */
export function drawFrom(own: Space, random: Random, index = 0): Json {
  const u = random.uniform(index);
  if (own.type === "categorical") return own.choices[Math.floor(u * own.choices.length)] ?? null;
  const { low, high, type, log = false } = own;
  const step = stepOf(own);
  if (step !== undefined) return nearestIn(own, low + Math.floor(u * ((lastOf(own) - low) / step + 1)) * step);
  // Whole numbers have half a step of room at either end, so that the first and the last are as likely as others.
  const room = type === "int" ? 0.5 : 0;
  if (!log) return low + u * (high - low);
  const [from, to] = [ln(low - room), ln(high + room)];
  return nearestIn(own, exp(from + u * (to - from)));
}
