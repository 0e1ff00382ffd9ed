/** Numbers beside those that are wanted. */
import assert from "node:assert/strict";

/** Holds where a number is as far from another as a tolerance at the most. */
export function near(actual: number | undefined, wanted: number | undefined, tolerance: number, what = ""): void {
  const apart = Math.abs((actual ?? NaN) - (wanted ?? NaN));
  assert.ok(apart <= tolerance, `${what} ${actual} is ${apart} from ${wanted}, and may be ${tolerance}`);
}

/** The same of numbers, one by one. */
export function allNear(
  actual: ArrayLike<number> | undefined,
  wanted: ArrayLike<number> | undefined,
  tolerance: number,
  what = "",
): void {
  assert.ok(actual && wanted && actual.length > 0, `${what} there are numbers`);
  assert.equal(actual.length, wanted.length, what);
  for (let i = 0; i < actual.length; i++) near(actual[i], wanted[i], tolerance, `${what} ${i}:`);
}
