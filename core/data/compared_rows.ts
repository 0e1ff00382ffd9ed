/** The parts of rows that are compared to find duplicates. */
import type { Row, RowColumns } from "../types.ts";
import { withSameClasses } from "./named_classes.ts";

/** Returns a function that turns the columns a task reads into one text, with the same text for the same classes. */
export function rowText(columns: RowColumns | undefined): (row: Row) => string {
  const read = columnsIn(columns);
  const same = withSameClasses(columns?.classes);
  return (row) => valuesIn(same(row), read);
}

/** Returns the columns that a task reads; null if unknown. */
export function columnsIn(columns: RowColumns | undefined): readonly string[] | null {
  if (!columns) return null;
  const { texts, spans = {}, parallel = {}, others = [] } = columns;
  return [...new Set([...texts, ...Object.keys(spans), ...Object.keys(parallel), ...others])];
}

/**
 * Returns the compared values of a row as one text, which is equal for equal rows. `columns`: those that the task reads
 * (null: unknown). A number is equal to its text, since CSV files hold only text.
 */
export function valuesIn(row: Row, columns: readonly string[] | null): string {
  return valuesOf(row, comparedColumns(row, columns));
}

/** Returns the values of exactly these columns as one text. */
export function valuesOf(row: Row, columns: readonly string[]): string {
  return JSON.stringify(columns.map((name) => [name, comparable(row[name])]));
}

/** Returns a row's compared columns: those the task reads (all if it has none), and all lists of a tokenized row. */
export function comparedColumns(row: Row, columns: readonly string[] | null): readonly string[] {
  const there = Object.keys(row).sort();
  if (columns && Object.hasOwn(row, "input_ids")) {
    const isList = (name: string): boolean => Array.isArray(row[name]) || ArrayBuffer.isView(row[name]);
    return there.filter((name) => columns.includes(name) || isList(name));
  }
  return columns?.some((name) => Object.hasOwn(row, name)) ? columns : there;
}

/** Normalizes a value for comparison. */
function comparable(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? String(value)
    : value ?? null;
}
