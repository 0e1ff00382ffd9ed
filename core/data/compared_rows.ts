/**
 * What of rows is compared to tell whether they are the same.
 * @module
 */
import type { Row, RowColumns } from "../types.ts";

/** The columns that a task reads; null where nobody knows. */
export function columnsIn(columns: RowColumns | undefined): readonly string[] | null {
  if (!columns) return null;
  const { texts, spans = {}, parallel = {}, others = [] } = columns;
  return [...new Set([...texts, ...Object.keys(spans), ...Object.keys(parallel), ...others])];
}

/**
 * Values of some columns of a row (null: of all) as one text, which rows have in common where they say the same. Numbers
 * are as their texts, as tables of text have them.
 */
export function valuesIn(row: Row, columns: readonly string[] | null): string {
  const known = columns?.some((name) => Object.hasOwn(row, name)) ? columns : Object.keys(row).sort();
  return JSON.stringify(known.map((name) => [name, asText(row[name])]));
}

function asText(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? String(value)
    : value ?? null;
}
