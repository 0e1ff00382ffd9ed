/** Columns of evaluated rows that go along with what is read of them: those of groups, of clusters, of slices. */
import { unknownName } from "../../base/errors.ts";
import type { Json, Named, Row } from "../../types.ts";
import { type EncodedRows, mapSamples } from "./encoded_rows.ts";
import type { OpenRun } from "../open/open.ts";

/** The columns that a run's metrics ask for. */
export function columnsRead({ metrics }: Pick<OpenRun, "metrics">): readonly string[] {
  return [...new Set(metrics.flatMap((metric) => metric.columns ?? []))];
}

/**
 * Checks, by the first row, that rows have the columns that a run's metrics need.
 *
 * @throws AttuneError that names one that is not there.
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

/** Some columns of a row, as far as it has them. */
export function pickColumns(row: Row, names: readonly string[]): Named<Json> {
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(row, name) ? [[name, row[name] as Json]] : [])));
}

/** Rows whose samples carry some of their columns. */
export function withColumns(encoded: EncodedRows, names: readonly string[]): EncodedRows {
  if (names.length === 0) return encoded;
  return mapSamples(encoded, async (samples) => {
    const rows = await encoded.rows(samples.map(({ row }) => row));
    return samples.map((sample, i) => ({ ...sample, columns: pickColumns(rows[i] ?? {}, names) }));
  });
}
