/** Columns of evaluated rows that accompany their samples, for groups, clusters and slices. */
import { unknownName } from "../../base/errors.ts";
import type { Json, Named, Row } from "../../types.ts";
import { type EncodedRows, mapSamples } from "./encoded_rows.ts";
import type { OpenRun } from "../open/open.ts";

/** Returns the columns that a run's metrics ask for. */
export function columnsRead({ metrics }: Pick<OpenRun, "metrics">): readonly string[] {
  return [...new Set(metrics.flatMap((metric) => metric.columns ?? []))];
}

/**
 * Checks on the first row that rows have the columns that a run's metrics need.
 *
 * @throws AttuneError that names a missing column.
 */
export async function checkColumns(
  { metrics }: Pick<OpenRun, "metrics">,
  encoded: EncodedRows,
  path: string,
): Promise<void> {
  if (encoded.rowCount === 0 || metrics.every(({ columns = [] }) => columns.length === 0)) return;
  const [row = {}] = await encoded.rows([0]);
  for (const { name, columns = [] } of metrics) {
    for (const column of columns) {
      if (Object.hasOwn(row, column)) continue;
      throw unknownName(name, `column (row 0 of ${path})`, "column", column, Object.keys(row));
    }
  }
}

/** Returns the named columns of a row, without those that it does not have. */
export function pickColumns(row: Row, names: readonly string[]): Named<Json> {
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(row, name) ? [[name, row[name] as Json]] : [])));
}

/** Returns rows whose samples carry the named columns. */
export function withColumns(encoded: EncodedRows, names: readonly string[]): EncodedRows {
  if (names.length === 0) return encoded;
  return mapSamples(encoded, async (samples) => {
    const rows = await encoded.rows(samples.map(({ row }) => row));
    return samples.map((sample, i) => ({ ...sample, columns: pickColumns(rows[i] ?? {}, names) }));
  });
}
