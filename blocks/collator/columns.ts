/** Typed readers of row columns; their errors name row, column and value. */
import { AttuneError, badValue, nearest, show } from "../../core/base/errors.ts";
import { asNumber, classReader } from "../../core/data/class_reader.ts";
import type { Field, Named, Row, RowColumns, Tokenizer } from "../../core/types.ts";

/** Returns the columns that a collator reads, under the names that they have in the rows. */
export function readColumns(
  renamed: Named<string>,
  { texts, optional, learned, spans, parallel, others, classes = {} }: RowColumns,
): RowColumns {
  const renamedColumn = (name: string): string => renamed[name] ?? name;
  const pairs = (names: Named<string> = {}): Named<string> =>
    Object.fromEntries(Object.entries(names).map(([name, of]) => [renamedColumn(name), renamedColumn(of)]));
  return {
    texts: texts.map(renamedColumn),
    ...(optional ? { optional: optional.map(renamedColumn) } : {}),
    ...(learned ? { learned: learned.map(renamedColumn) } : {}),
    ...(spans ? { spans: pairs(spans) } : {}),
    ...(parallel ? { parallel: pairs(parallel) } : {}),
    ...(others ? { others: others.map(renamedColumn) } : {}),
    ...(Object.values(classes).some((names) => names.length > 0)
      ? { classes: Object.fromEntries(Object.entries(classes).map(([name, names]) => [renamedColumn(name), names])) }
      : {}),
  };
}

/** Returns a text column. Throws AttuneError if it is missing or not a text. */
export function textOf(plugin: string, row: Row, index: number, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  if (!(column in row)) throw missingColumn(plugin, row, index, column);
  throw badValue(plugin, `row ${index}, column "${column}"`, value, "a string");
}

/** Applies the prompt and lower-casing of a sentence-transformers folder to a text. */
export function applyPrompt(
  text: string,
  { prompt, lowercase }: Readonly<{ prompt: string; lowercase: boolean }>,
): string {
  return lowercase ? (prompt + text).toLowerCase() : prompt + text;
}

/** Returns a text column that may be missing or null. */
export function optionalText(plugin: string, row: Row, index: number, column: string): string | undefined {
  return row[column] === undefined || row[column] === null ? undefined : textOf(plugin, row, index, column);
}

/** Returns a column of token ids, among which `also` is allowed. Throws AttuneError if it is something else. */
export function idsOf(plugin: string, row: Row, index: number, column: string, also?: number): Int32Array {
  const value = row[column];
  const isId = (x: unknown): boolean => x === also || (Number.isInteger(x) && Number(x) >= 0 && Number(x) < 2 ** 31);
  if (Array.isArray(value) && value.every(isId)) return Int32Array.from(value);
  if (!(column in row)) throw missingColumn(plugin, row, index, column);
  throw badValue(plugin, `row ${index}, column "${column}"`, value, "a list of token ids");
}

/** Returns the error of a row that lacks a column. */
export function missingColumn(plugin: string, row: Row, index: number, column: string): AttuneError {
  const there = Object.keys(row);
  const near = nearest(column, there);
  return new AttuneError(
    `row ${index} has no column "${column}"${near ? `, did you mean "${near}"?` : ""} Columns: ${
      show(there)
    } (rename them with task.with.columns)`,
    { code: "UNKNOWN_COLUMN", plugin, path: column, found: there, allowed: there },
  );
}

/** Returns a row's own input_ids and token_type_ids, if it has them. Throws AttuneError if lengths differ or are 0. */
export function readyMade(
  plugin: string,
  row: Row,
  index: number,
  tokenizer: Pick<Tokenizer, "specialTokenIds">,
): Record<string, Field> {
  const ids = idsOf(plugin, row, index, "input_ids");
  const types = "token_type_ids" in row ? idsOf(plugin, row, index, "token_type_ids") : new Int32Array(ids.length);
  if (ids.length === 0 || types.length !== ids.length) {
    throw badValue(
      plugin,
      `row ${index}`,
      [ids.length, types.length],
      "input_ids and token_type_ids of the same length, at least 1",
    );
  }
  return tokenFields(tokenizer, ids, types);
}

/** Returns tokens, and their segment types if they have any, as fields of a sequence. */
export function tokenFields(
  { specialTokenIds }: Pick<Tokenizer, "specialTokenIds">,
  ids: Int32Array,
  types?: Int32Array,
): Record<string, Field> {
  return {
    input_ids: { axis: "token", data: ids, padValue: specialTokenIds.pad ?? 0 },
    ...(types ? { token_type_ids: { axis: "token", data: types, padValue: 0 } } : {}),
  };
}

/** Turns a numeric string, as it occurs in CSV files, into a number; other values stay. */
export function unquote(value: unknown): unknown {
  return asNumber(value) ?? value;
}

/**
 * Returns a reader of classes by name or number, as {@link classReader} does. It throws AttuneError, with the list of
 * classes, if there is no such class.
 */
export function classesOf(plugin: string, labels: readonly string[]): (value: unknown, at: string) => number {
  const read = classReader(labels);
  return (value, at) => {
    const id = read(value);
    if (id !== undefined) return id;
    const near = typeof value === "string" ? nearest(value, labels) : undefined;
    const hint = labels.every((label, i) => label === `LABEL_${i}`) ? ` (name the classes in task.with.labels)` : "";
    throw new AttuneError(
      `${at}: unknown label ${show(value)}${near ? `, did you mean "${near}"?` : ""} Allowed: ${show(labels)}${hint}`,
      { code: "UNKNOWN_LABEL", plugin, path: at, found: value, allowed: labels },
    );
  };
}
