/** What somebody who means harm sends is answered soon. */
import assert from "node:assert/strict";

/**
 * What a program that counts, copies or matches without a bound would take many minutes for, hours or all memory: the right
 * one takes milliseconds. A minute lies far from both on any machine, whatever else it does.
 */
const MOST = 60_000;

/** Does something, which must not take long; gives what came of it. */
export async function soon<T>(act: () => T | Promise<T>, what: string = "it"): Promise<T> {
  const start = performance.now();
  try {
    return await act();
  } finally {
    const took = performance.now() - start;
    assert.ok(took < MOST, `${what} took ${took} ms`);
  }
}
