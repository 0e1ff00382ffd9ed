/** Rows by the value that they have in a column. */
import { asNumber } from "../../core/data/class_reader.ts";
import { valuesOf } from "../../core/data/compared_rows.ts";
import type { Row, TransformRow } from "../../core/types.ts";
import { badColumn, columnOf } from "./each_row.ts";

/** The value of each row in a column as a number, in the order in which values come up: four bytes a row. */
export interface RowGroups {
  /** Values as JSON, by their number. */
  readonly keys: readonly string[];
  /** How many rows have each. */
  readonly sizes: readonly number[];
  /** The number of each row's value. */
  readonly of: Int32Array;
}

/** Reads the groups of all rows. Throws AttuneError if a row has no such column. */
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

/** A row's value in a column, and its name, as JSON; a number and its text are one value, as tables of text have them. */
export function groupKey(plugin: string, item: TransformRow, column: string): string {
  columnOf(plugin, item, column);
  return valuesOf(item.row, [column]);
}

/** The row with its weight, which is 1 if it has none, multiplied. Throws AttuneError if it has another value there. */
export function multiplyWeight(plugin: string, item: TransformRow, factor: number): Row {
  const { weight: before = 1 } = item.row;
  const weight = asNumber(before);
  if (weight === undefined) throw badColumn(plugin, item, "weight", before, "a number");
  return { ...item.row, weight: weight * factor };
}
