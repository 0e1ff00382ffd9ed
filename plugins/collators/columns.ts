/**
 * Reading columns of rows: typed, with errors that name row, column and value.
 * @module
 */
import { AttuneError, badValue, nearest, show } from "../../core/errors.ts";
import type { Row } from "../../core/types.ts";

/** A text column. Throws AttuneError where it is missing or something else. */
export function textOf(plugin: string, row: Row, index: number, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  if (!(column in row)) throw missingColumn(plugin, row, index, column);
  throw badValue(plugin, `row ${index}, column "${column}"`, value, "a string");
}

/** A text column that may be missing, or null. */
export function optionalText(plugin: string, row: Row, index: number, column: string): string | undefined {
  return row[column] === undefined || row[column] === null ? undefined : textOf(plugin, row, index, column);
}

/** A column of token ids; `also` may stand among them. Throws AttuneError where it is something else. */
export function idsOf(plugin: string, row: Row, index: number, column: string, also?: number): Int32Array {
  const value = row[column];
  const isId = (x: unknown): boolean => x === also || (Number.isInteger(x) && Number(x) >= 0 && Number(x) < 2 ** 31);
  if (Array.isArray(value) && value.every(isId)) return Int32Array.from(value);
  if (!(column in row)) throw missingColumn(plugin, row, index, column);
  throw badValue(plugin, `row ${index}, column "${column}"`, value, "a list of token ids");
}

/** The error of a row that lacks a column. */
export function missingColumn(plugin: string, row: Row, index: number, column: string): AttuneError {
  const there = Object.keys(row);
  const near = nearest(column, there);
  return new AttuneError(
    `row ${index} has no column "${column}"${near ? `, did you mean "${near}"?` : ""} Columns: ${
      show(there)
    } (task.with.columns renames)`,
    { code: "UNKNOWN_COLUMN", plugin, path: column, found: there, allowed: there },
  );
}
