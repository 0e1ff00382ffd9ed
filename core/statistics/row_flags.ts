/**
 * Which rows are right: two bits of each.
 * @module
 */

/** Rows by their number, each right or wrong. */
export type RowFlags = Readonly<{
  /** False where the row was there before. */
  add(row: number, isRight: boolean): boolean;
  /** The bits of eight rows from the number 8 · `at`: whether they were there, and whether they are right. */
  bits(at: number): readonly [there: number, right: number];
  /** How many bytes there are of each. */
  length(): number;
}>;

/** No rows. */
export function createRowFlags(): RowFlags {
  let [there, right] = [new Uint8Array(64), new Uint8Array(64)];
  const grown = (bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> => {
    const all = new Uint8Array(length);
    all.set(bytes);
    return all;
  };
  return {
    add: (row, isRight) => {
      const [at, bit] = [row >>> 3, 1 << (row & 7)];
      if (at >= there.length) {
        [there, right] = [there, right].map((bytes) => grown(bytes, 2 * at)) as [typeof there, typeof right];
      }
      if (((there[at] ?? 0) & bit) !== 0) return false;
      there[at] = (there[at] ?? 0) | bit;
      if (isRight) right[at] = (right[at] ?? 0) | bit;
      return true;
    },
    bits: (at) => [there[at] ?? 0, right[at] ?? 0],
    length: () => there.length,
  };
}

/** Rows that are right in one alone: how many, and the first of them. */
export type ChangedRows = Readonly<{ count: number; first: readonly number[] }>;

/** Rows that are listed at most. */
const LISTED = 100_000;

/** The rows that only the first, and only the second has right; undefined if they do not have the same rows. */
export function changedRows(
  first: RowFlags,
  second: RowFlags,
): Readonly<{ onlyFirst: ChangedRows; onlySecond: ChangedRows }> | undefined {
  type Found = { count: number; first: number[] };
  const [onlyFirst, onlySecond]: [Found, Found] = [{ count: 0, first: [] }, { count: 0, first: [] }];
  for (let at = 0; at < Math.max(first.length(), second.length()); at++) {
    const [[a, x], [b, y]] = [first.bits(at), second.bits(at)];
    if (a !== b) return undefined;
    for (let bit = 0; x !== y && bit < 8; bit++) {
      if (((x ^ y) & (1 << bit)) === 0) continue;
      const side = (x & (1 << bit)) !== 0 ? onlyFirst : onlySecond;
      if (side.count++ < LISTED) side.first.push(8 * at + bit);
    }
  }
  return { onlyFirst, onlySecond };
}
