/** Statistics of columns: types, missing and empty values, lengths of texts, most frequent values. */
import type { Named, Row } from "../../core/types.ts";

/** Statistics of a column. */
export type ColumnReport = Readonly<{
  /** Number of rows by the type of their value. */
  types: Named<number>;
  missing: number;
  empty: number;
  /** Lengths of texts in characters. */
  characters?: Readonly<{ least: number; mean: number; most: number }>;
  /** Number of rows by value, most frequent first, if there are few values; of lists, number of entries by value. */
  values?: Named<number>;
  /** Total number of entries of lists, if `values` counts entries. */
  entries?: number;
}>;

/** A column with more values is not taken for classes, nor is a text that is longer. */
const [MOST_VALUES, MOST_CHARACTERS] = [100, 64];

/** Returns an accumulator of column statistics, to which rows are added one at a time. */
export function createColumnStatistics(): Readonly<{ add(row: Row): void; report(): Named<ColumnReport> }> {
  const columns = new Map<string, Column>();
  let rows = 0;
  return {
    add: (row) => {
      for (const [name, value] of Object.entries(row)) {
        const known = columns.get(name) ?? newColumn();
        columns.set(name, known);
        addValue(known, value);
      }
      rows++;
    },
    report: () => Object.fromEntries([...columns].map(([name, column]) => [name, reportOf(column, rows)])),
  };
}

type Column = {
  count: number;
  types: Map<string, number>;
  missing: number;
  empty: number;
  texts: number;
  characters: number;
  least: number;
  most: number;
  entries: number;
  values: Map<string, number> | undefined;
};

function newColumn(): Column {
  const numbers = { count: 0, missing: 0, empty: 0, texts: 0, characters: 0, least: Infinity, most: 0, entries: 0 };
  return { ...numbers, types: new Map(), values: new Map() };
}

function addValue(column: Column, value: unknown): void {
  column.count++;
  if (value === null || value === undefined) {
    column.missing++;
    return;
  }
  const type = Array.isArray(value) ? "list" : ArrayBuffer.isView(value) ? "bytes" : typeof value;
  column.types.set(type, (column.types.get(type) ?? 0) + 1);
  if (typeof value === "string") {
    if (value.trim() === "") column.empty++;
    column.texts++;
    column.characters += value.length;
    column.least = Math.min(column.least, value.length);
    column.most = Math.max(column.most, value.length);
  } else if (Array.isArray(value) && value.length === 0) column.empty++;
  for (const one of Array.isArray(value) ? value : [value]) countValue(column, one);
  if (Array.isArray(value)) column.entries += value.length;
}

/** Counts a value that may be a class; stops counting for the column if one cannot be, or there are too many. */
function countValue(column: Column, value: unknown): void {
  if (!column.values) return;
  const shown = ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
  if (shown === undefined || shown.length > MOST_CHARACTERS) column.values = undefined;
  else column.values.set(shown, (column.values.get(shown) ?? 0) + 1);
  if ((column.values?.size ?? 0) > MOST_VALUES) column.values = undefined;
}

function reportOf(
  { count, types, missing, empty, texts, characters, least, most, values, entries }: Column,
  rows: number,
): ColumnReport {
  const all = entries > 0 ? entries : rows;
  const classes = values && values.size > 0 && values.size * 2 <= all ? values : undefined;
  return {
    types: Object.fromEntries(types),
    missing: missing + rows - count,
    empty,
    ...(texts > 0 ? { characters: { least, mean: characters / texts, most } } : {}),
    ...(classes
      ? {
        values: Object.fromEntries([...classes].sort((a, b) => b[1] - a[1])),
        ...(entries > 0 ? { entries } : {}),
      }
      : {}),
  };
}
