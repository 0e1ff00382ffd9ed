/** Counts that files state of themselves. */

/** The count. Throws Error where it is negative, no whole number, or above `most`. */
export function countWithin(what: string, count: number, most: number): number {
  if (Number.isSafeInteger(count) && count >= 0 && count <= most) return count;
  throw new Error(`${what}: ${count} is not from 0 to ${most}`);
}
