/** What of rows is compared to tell whether they are the same. */
import type { Row, RowColumns } from "../types.ts";
import { withSameClasses } from "./named_classes.ts";

/** What a row says in the columns that a task reads, as one text, which is the same of rows that mean the same classes. */
export function rowText(columns: RowColumns | undefined): (row: Row) => string {
  const read = columnsIn(columns);
  const same = withSameClasses(columns?.classes);
  return (row) => valuesIn(same(row), read);
}

/** The columns that a task reads; null if nobody knows. */
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
  return valuesOf(row, comparedColumns(row, columns));
}

/** The same of just these columns. */
export function valuesOf(row: Row, columns: readonly string[]): string {
  return JSON.stringify(columns.map((name) => [name, comparable(row[name])]));
}

/** The columns by which a row is compared, of those that a task reads: all where it has none of them, and all lists of a ready-made one. */
export function comparedColumns(row: Row, columns: readonly string[] | null): readonly string[] {
  const there = Object.keys(row).sort();
  if (columns && Object.hasOwn(row, "input_ids")) {
    const isList = (name: string): boolean => Array.isArray(row[name]) || ArrayBuffer.isView(row[name]);
    return there.filter((name) => columns.includes(name) || isList(name));
  }
  return columns?.some((name) => Object.hasOwn(row, name)) ? columns : there;
}

/** A value as it is compared. */
function comparable(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? String(value)
    : value ?? null;
}
