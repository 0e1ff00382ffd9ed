/** Rows grouped by their value in a column. */
import { asNumber } from "../../core/data/class_reader.ts";
import { valuesOf } from "../../core/data/compared_rows.ts";
import type { Row, TransformRow } from "../../core/types.ts";
import { badColumn, columnOf } from "./each_row.ts";

/** The values of a column as numbers, in the order of their first occurrence: four bytes per row. */
export interface RowGroups {
  /** The distinct values as JSON; the index is the value's number. */
  readonly keys: readonly string[];
  /** The number of rows with each value. */
  readonly sizes: readonly number[];
  /** The number of each row's value. */
  readonly of: Int32Array;
}

/** Reads the groups of all rows. Throws AttuneError if a row lacks the column. */
export async function groupRows(plugin: string, rows: AsyncIterable<TransformRow>, column: string): Promise<RowGroups> {
  const numbers = new Map<string, number>();
  const sizes: number[] = [];
  let of = new Int32Array(1024);
  let count = 0;
  for await (const item of rows) {
    const key = groupKey(plugin, item, column);
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    sizes[known] = (sizes[known] ?? 0) + 1;
    if (count === of.length) {
      const more = new Int32Array(2 * of.length);
      more.set(of);
      of = more;
    }
    of[count++] = known;
  }
  return { keys: [...numbers.keys()], sizes, of: of.subarray(0, count) };
}

/** Returns a row's value as JSON, the key of its group; a number and its text are the same, as in text tables. */
export function groupKey(plugin: string, item: TransformRow, column: string): string {
  columnOf(plugin, item, column);
  return valuesOf(item.row, [column]);
}

/** Returns the row with its weight (by default 1) multiplied. Throws AttuneError if the weight is invalid. */
export function multiplyWeight(plugin: string, item: TransformRow, factor: number): Row {
  const { weight: before = 1 } = item.row;
  const weight = asNumber(before);
  if (weight === undefined) throw badColumn(plugin, item, "weight", before, "a number");
  return { ...item.row, weight: weight * factor };
}
