/** Flags of right rows, in two bits per row. */
import { createMarks, type Marks } from "../data/marks.ts";

/** Rows by their number, each right or wrong. */
export type RowFlags = Readonly<{
  /** Adds a row; returns false if the row was already added. */
  add(row: number, isRight: boolean): boolean;
  there: Marks;
  right: Marks;
}>;

/** Creates empty flags. */
export function createRowFlags(): RowFlags {
  const [there, right] = [createMarks(), createMarks()];
  return {
    there,
    right,
    add: (row, isRight) => {
      if (there.has(row)) return false;
      there.add(row);
      if (isRight) right.add(row);
      return true;
    },
  };
}

/** Rows that only one model has right: their number, and the first of them. */
export type ChangedRows = Readonly<{ count: number; first: readonly number[] }>;

/** Maximum number of listed rows. */
const LISTED = 100_000;

/** Returns the rows that only the first or only the second has right; undefined if they have different rows. */
export function changedRows(
  first: RowFlags,
  second: RowFlags,
): Readonly<{ onlyFirst: ChangedRows; onlySecond: ChangedRows }> | undefined {
  type Found = { count: number; first: number[] };
  const [onlyFirst, onlySecond]: [Found, Found] = [{ count: 0, first: [] }, { count: 0, first: [] }];
  for (let at = 0; at < Math.max(first.there.bytes(), second.there.bytes()); at++) {
    if (first.there.byte(at) !== second.there.byte(at)) return undefined;
    const [x, y] = [first.right.byte(at), second.right.byte(at)];
    for (let bit = 0; x !== y && bit < 8; bit++) {
      if (((x ^ y) & (1 << bit)) === 0) continue;
      const side = (x & (1 << bit)) !== 0 ? onlyFirst : onlySecond;
      if (side.count++ < LISTED) side.first.push(8 * at + bit);
    }
  }
  return { onlyFirst, onlySecond };
}
