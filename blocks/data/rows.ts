/**
 * Rows in memory as an open dataset, shared by data plugins.
 * @module
 */
import { badValue } from "../../core/base/errors.ts";
import type { Row, Rows } from "../../core/types.ts";

/** Rows that are all there, and where each stands. `at` throws AttuneError on rows that are not. */
export function rowsInMemory(rows: readonly Row[], fingerprint: string, where?: (index: number) => string): Rows {
  return {
    length: rows.length,
    fingerprint,
    read: async function* (from) {
      for (let at = from?.at ?? 0; at < rows.length; at++) {
        yield { row: rows[at] ?? {}, next: { at: at + 1 }, ...(where ? { where: where(at) } : {}) };
      }
    },
    at: async (indices) =>
      indices.map((index) => {
        const row = rows[index];
        if (!row) throw badValue("data", "row", index, `a row from 0 to ${rows.length - 1}`);
        return row;
      }),
    ...(where ? { where: async (index) => where(index) } : {}),
  };
}

/** Every row of a data set, in order. */
export async function allRows(source: Rows): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { row } of source.read()) rows.push(row);
  return rows;
}
