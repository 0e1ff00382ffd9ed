/** Access to rows by index, for any kind of source. */
import { isJson } from "./cached.ts";
import type { Cursor, Host, Row, Rows, Store } from "../types.ts";
import type { SeekableRows } from "./seekable_rows.ts";

/** Data sets with fewer rows are scanned faster than a cache is read. */
const KEPT_ROWS = 10_000;

/** Returns the cache for results about rows, if there are enough rows to make caching worthwhile. */
export function cacheFor({ length }: Pick<Rows, "length">, { cache }: Host): Store | undefined {
  return length === undefined || length < KEPT_ROWS ? undefined : cache;
}

/** The size, in characters of JSON, up to which a stream's rows are held in memory. */
const IN_MEMORY = 16 * 2 ** 20;

/**
 * Makes rows accessible by index: returns them as they are if their source can seek. The rows of a stream are held in
 * memory, or, if they are many, in the host's cache, provided that it has one with enough room.
 */
export async function seekable(opened: Rows, { cache }: Host, most: number = IN_MEMORY): Promise<SeekableRows> {
  const { at, length } = opened;
  if (at && length !== undefined) return { ...opened, at, length };
  const rows: Row[] = [];
  const places: (string | undefined)[] = [];
  let left = cache ? most : Infinity;
  for await (const { row, where } of opened.read()) {
    if (left < Infinity) left -= isJson(row) ? JSON.stringify(row).length : 0;
    if (cache && left < 0) {
      const spooled = await (await import("./spooled.ts")).spooledRows(opened, cache);
      if (spooled) return spooled;
      left = Infinity;
    }
    rows.push(row);
    places.push(where);
  }
  const read = async function* (from?: Cursor): ReturnType<Rows["read"]> {
    for (let i = from?.at ?? 0; i < rows.length; i++) {
      const where = places[i];
      yield { row: rows[i] ?? {}, next: { at: i + 1 }, ...(where === undefined ? {} : { where }) };
    }
  };
  return {
    ...opened,
    length: rows.length,
    read,
    at: async (numbers) => numbers.map((number) => rows[number] ?? {}),
    where: async (number) => places[number],
  };
}
