/**
 * Marks of rows: a bit for each.
 * @module
 */

/** Which rows are marked. */
export type Marks = Readonly<{
  has(row: number): boolean;
  add(row: number): void;
  /** How many are marked. */
  count(): number;
}>;

/** No row is marked yet; there may be as many as there come. */
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
  };
}
