/** Counts read from file headers. */

/** Returns the count. Throws Error if it is negative, not a whole number, or above `most`. */
export function countWithin(what: string, count: number, most: number): number {
  if (Number.isSafeInteger(count) && count >= 0 && count <= most) return count;
  throw new Error(`${what}: ${count} is not from 0 to ${most}`);
}
