/**
 * Reading columns of rows: typed, with errors that name row, column and value.
 * @module
 */
import { AttuneError, badValue, nearest, show } from "../../core/errors.ts";
import type { Field, Row } from "../../core/types.ts";

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

/** input_ids and token_type_ids of a row that has them. Throws AttuneError where they are of two lengths, or empty. */
export function readyMade(plugin: string, row: Row, index: number, pad: number): Record<string, Field> {
  const ids = idsOf(plugin, row, index, "input_ids");
  const types = "token_type_ids" in row ? idsOf(plugin, row, index, "token_type_ids") : new Int32Array(ids.length);
  if (ids.length === 0 || types.length !== ids.length) {
    throw badValue(
      plugin,
      `row ${index}`,
      [ids.length, types.length],
      "input_ids and token_type_ids of one length, at least 1",
    );
  }
  return {
    input_ids: { per: "token", data: ids, fill: pad },
    token_type_ids: { per: "token", data: types, fill: 0 },
  };
}

/** A number that was written as text, as all values of a CSV file are; anything else as it is. */
export function unquoted(value: unknown): unknown {
  return typeof value === "string" && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value) ? Number(value) : value;
}

/** A class as {@link classId} has it, of a column of one label: there a number may be written as text. */
export function classOf(plugin: string, value: unknown, labels: readonly string[], at: string): number {
  return classId(plugin, labels.includes(String(value)) ? value : unquoted(value), labels, at);
}

/** A class by its name or number. Throws AttuneError that lists the classes where there is none of that name. */
export function classId(plugin: string, value: unknown, labels: readonly string[], at: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < labels.length) return value;
  const id = labels.indexOf(String(value));
  if (id >= 0 && (typeof value === "string" || typeof value === "number" || typeof value === "boolean")) return id;
  const near = typeof value === "string" ? nearest(value, labels) : undefined;
  throw new AttuneError(
    `${at}: unknown label ${show(value)}${near ? `, did you mean "${near}"?` : ""} Allowed: ${show(labels)}`,
    { code: "UNKNOWN_LABEL", plugin, path: at, found: value, allowed: labels },
  );
}
