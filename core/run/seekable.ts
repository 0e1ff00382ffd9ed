/**
 * Rows that are had by their number, whatever their source can do.
 * @module
 */
import type { Row, Rows } from "../types.ts";

/** Rows of known number. */
export type SeekableRows =
  & Pick<Rows, "fingerprint" | "read" | "transforms" | "longest" | "where">
  & Readonly<{ length: number; at: NonNullable<Rows["at"]> }>;

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
