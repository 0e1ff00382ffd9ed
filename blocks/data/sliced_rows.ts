/** Opens the rows of slices. */
import type { Rows } from "../../core/types.ts";
import { concatenatedRows, rangeOfRows } from "./compose.ts";
import { checkSplit, rangeOf, slicesIn } from "./slices.ts";
import type { Splits } from "./slices.ts";

/** Opens the rows of the slices that a text names, like `slicedRows`, and throws like it. */
export async function rowsOfSlices(plugin: string, text: string, { names, open }: Splits): Promise<Rows> {
  const opened = new Map<string, Rows>();
  const parts: Rows[] = [];
  for (const slice of slicesIn(plugin, text)) {
    checkSplit(plugin, slice.split, names);
    const rows = opened.get(slice.split) ?? await open(slice.split);
    opened.set(slice.split, rows);
    const isWhole = slice.from === null && slice.to === null;
    parts.push(isWhole ? rows : await rangeOfRows(rows, ...rangeOf(plugin, slice, rows.length ?? await countOf(rows))));
  }
  return await concatenatedRows(parts);
}

/** Counts the rows of a source that does not know their number. */
async function countOf(rows: Rows): Promise<number> {
  let count = 0;
  for await (const _ of rows.read()) count++;
  return count;
}
