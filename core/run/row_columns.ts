/**
 * Columns of evaluated rows that go along with what is read of them: those of groups, of clusters, of slices.
 * @module
 */
import type { Json, Named, Row } from "../types.ts";
import { type EncodedRows, mapSamples } from "./encoded_rows.ts";
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
export function withColumns(encoded: EncodedRows, names: readonly string[]): EncodedRows {
  if (names.length === 0) return encoded;
  return mapSamples(encoded, async (samples) => {
    const rows = await encoded.rows(samples.map(({ row }) => row));
    return samples.map((sample, i) => ({ ...sample, columns: pickColumns(rows[i] ?? {}, names) }));
  });
}
