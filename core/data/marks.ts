/** A set of rows as a bit array. */

/** A set of marked rows. */
export type Marks = Readonly<{
  has(row: number): boolean;
  add(row: number): void;
  /** Returns how many rows are marked. */
  count(): number;
  /** Returns the marks of the eight rows from row 8 · `at` on. */
  byte(at: number): number;
  /** Returns the number of bytes; rows beyond them are not marked. */
  bytes(): number;
}>;

/**
 * Creates a set without marks, which grows as needed.
 *
 * @example
 * ```ts
 * import { createMarks } from "attune/kit";
 * const marks = createMarks();
 * marks.add(9);
 * console.assert(marks.has(9) && !marks.has(8) && marks.count() === 1);
 * ```
 */
export function createMarks(): Marks {
  let bits = new Uint8Array(1024);
  let count = 0;
  const has = (row: number): boolean => (((bits[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
  return {
    has,
    add: (row) => {
      if (has(row)) return;
      if (row >> 3 >= bits.length) {
        const longer = new Uint8Array(Math.max((row >> 3) + 1, 2 * bits.length));
        longer.set(bits);
        bits = longer;
      }
      bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
      count++;
    },
    count: () => count,
    byte: (at) => bits[at] ?? 0,
    bytes: () => bits.length,
  };
}
