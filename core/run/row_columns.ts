/**
 * Columns of evaluated rows that go along with what is read of them: those of groups, of clusters, of slices.
 * @module
 */
import type { Json, Named, Row } from "../types.ts";
import type { EncodedRows } from "./data.ts";
import type { OpenRun } from "./open.ts";

/** The columns that a run's metrics ask for. */
export function columnsRead({ metrics }: Pick<OpenRun, "metrics">): readonly string[] {
  return [...new Set(metrics.flatMap((metric) => metric.columns ?? []))];
}

/** Some columns of a row, as far as it has them. */
export function pickColumns(row: Row, names: readonly string[]): Named<Json> {
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(row, name) ? [[name, row[name] as Json]] : [])));
}

/** Rows whose samples carry some of their columns. */
export function withColumns<R extends Pick<EncodedRows, "rows" | "samples">>(rows: R, names: readonly string[]): R {
  if (names.length === 0) return rows;
  const samples = rows.samples.map((sample) => ({
    ...sample,
    columns: pickColumns(rows.rows[sample.row] ?? {}, names),
  }));
  return { ...rows, samples };
}
