/**
 * Columns of evaluated rows, each value once and a number for every row: for slices and clusters.
 * @module
 */
import { missing } from "../base/errors.ts";
import type { Example, Row } from "../types.ts";

/** A column whose values make slices: which value each row has. */
export type SliceColumn = Readonly<{ name: string; values: readonly string[]; of: ReadonlyMap<number, number> }>;

/** What is kept of rows. */
export type RowTable = Readonly<{
  /** Whether anything is. */
  keeps: boolean;
  /** Throws AttuneError where the row has no value of the cluster's column. */
  add(row: number, own: Row, example: Example | undefined): void;
  clusterOf(row: number): string;
  columns(): readonly SliceColumn[];
}>;

/** Values that a column may have at most to make slices, and characters of each. */
const [VALUES, CHARACTERS] = [50, 60];

/** Parts of about as many rows that lengths are cut into. */
const BINS = 4;

/** An empty table. */
export function createRowTable(
  { cluster, slices = false }: Readonly<{ cluster?: string | undefined; slices?: boolean | undefined }>,
): RowTable {
  const clusters = new Map<number, string>();
  const columns = new Map<string, { values: Map<string, number>; of: Map<number, number> } | undefined>();
  const lengths = new Map<number, number>();
  const put = (name: string, value: unknown, row: number): void => {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return;
    if (columns.has(name) && !columns.get(name)) return;
    const column = columns.get(name) ?? { values: new Map<string, number>(), of: new Map<number, number>() };
    const text = String(value);
    const id = column.values.get(text) ?? column.values.size;
    column.values.set(text, id);
    column.of.set(row, id);
    columns.set(name, text.length > CHARACTERS || column.values.size > VALUES ? undefined : column);
  };
  return {
    keeps: slices || cluster !== undefined,
    add: (row, own, example) => {
      if (cluster !== undefined) {
        const value = own[cluster];
        if (value === undefined || value === null) {
          throw missing("evaluate", `a value of the column "${cluster}"`, `row ${row}`);
        }
        clusters.set(row, String(value));
      }
      if (!slices) return;
      for (const [name, value] of Object.entries(own)) put(name, value, row);
      if (example) lengths.set(row, example.text.length);
    },
    clusterOf: (row) => clusters.get(row) ?? `row ${row}`,
    columns: () => [
      ...[...columns].flatMap(([name, column]): SliceColumn[] =>
        column && column.values.size > 1 ? [{ name, values: [...column.values.keys()], of: column.of }] : []
      ),
      ...binned(lengths),
    ],
  };
}

/** Lengths in parts of about as many rows. */
function binned(lengths: ReadonlyMap<number, number>): SliceColumn[] {
  const sorted = [...lengths.values()].sort((a, b) => a - b);
  const edges = [
    ...new Set(Array.from({ length: BINS - 1 }, (_, i) => sorted[Math.floor((i + 1) * sorted.length / BINS)] ?? 0)),
  ];
  if (edges.length === 0 || sorted[0] === sorted.at(-1)) return [];
  const names = [...edges, Infinity].map((edge, i) => {
    const from = i === 0 ? 0 : edges[i - 1];
    return edge === Infinity ? `${from} or more` : `${from} to ${edge - 1}`;
  });
  const of = new Map([...lengths].map(([row, length]) => {
    const at = edges.findIndex((edge) => length < edge);
    return [row, at < 0 ? edges.length : at];
  }));
  return [{ name: "length (characters)", values: names, of }];
}
