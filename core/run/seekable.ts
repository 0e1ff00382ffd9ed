/**
 * Rows that are had by their number, whatever their source can do.
 * @module
 */
import type { Host, Row, Rows, Store } from "../types.ts";

/** Rows of known number. */
export type SeekableRows =
  & Pick<Rows, "fingerprint" | "notes" | "read" | "transforms" | "longest" | "where">
  & Readonly<{ length: number; at: NonNullable<Rows["at"]> }>;

/** Data sets of fewer rows are looked through faster than a cache is asked. */
const KEPT_ROWS = 10_000;

/** Where what was found out about rows is kept, if that is worth while. */
export function worthKeeping({ length }: Pick<Rows, "length">, { cache }: Host): Store | undefined {
  return length === undefined || length < KEPT_ROWS ? undefined : cache;
}

/** Opened rows as they are where their source can seek; the rows of a stream are held in memory. */
export async function seekable(opened: Rows): Promise<SeekableRows> {
  const { at, length } = opened;
  if (at && length !== undefined) return { ...opened, at, length };
  const rows: Row[] = [];
  const places: (string | undefined)[] = [];
  for await (const { row, where } of opened.read()) {
    rows.push(row);
    places.push(where);
  }
  const read = async function* (): ReturnType<Rows["read"]> {
    for (const [i, row] of rows.entries()) {
      const where = places[i];
      yield { row, next: { at: i + 1 }, ...(where === undefined ? {} : { where }) };
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
