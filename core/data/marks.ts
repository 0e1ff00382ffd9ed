/** Marks of rows: a bit for each. */

/** Which rows are marked. */
export type Marks = Readonly<{
  has(row: number): boolean;
  add(row: number): void;
  /** How many are marked. */
  count(): number;
  /** The marks of the eight rows from the number 8 · `at`. */
  byte(at: number): number;
  /** How many bytes there are; marks behind them are absent. */
  bytes(): number;
}>;

/**
 * No row is marked yet; there may be as many as there come.
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
