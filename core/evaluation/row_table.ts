/**
 * Columns and lengths of a sample of evaluated rows: what slices are made of.
 * @module
 */
import { UNITS } from "../statistics/metric_statistics.ts";
import { createUnitSample } from "../statistics/unit_sample.ts";
import type { Example, Row } from "../types.ts";

/** A column whose values make slices: which value each row has. */
export type SliceColumn = Readonly<{ name: string; values: readonly string[]; of: ReadonlyMap<number, number> }>;

/** What is kept of rows. */
export type RowTable = Readonly<{
  add(row: number, values: Row, example: Example | undefined): void;
  columns(): readonly SliceColumn[];
}>;

/** Values that a column may have at most to make slices, and characters of each. */
const [VALUES, CHARACTERS] = [50, 60];

/** Parts of about as many rows that lengths are cut into. */
const BINS = 4;

/** Creates an empty table. It keeps the rows that statistics of a metric keep. */
export function createRowTable(): RowTable {
  const columns = new Map<string, Map<string, number> | undefined>();
  const sample = createUnitSample<{ values: Map<string, number>; length: number | undefined }>(UNITS);
  const put = (name: string, value: unknown, values: Map<string, number>): void => {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return;
    if (columns.has(name) && !columns.get(name)) return;
    const known = columns.get(name) ?? new Map<string, number>();
    const text = String(value);
    const id = known.get(text) ?? known.size;
    known.set(text, id);
    values.set(name, id);
    columns.set(name, text.length > CHARACTERS || known.size > VALUES ? undefined : known);
  };
  const column = (name: string, values: readonly string[]): SliceColumn => {
    const of = [...sample.units].flatMap(([row, unit]): [number, number][] => {
      const id = unit.values.get(name);
      return id === undefined ? [] : [[Number(row), id]];
    });
    return { name, values, of: new Map(of) };
  };
  return {
    add: (row, values, example) => {
      const facts = sample.of(row, () => ({ values: new Map(), length: undefined }));
      // Every row counts where a column has too many values.
      for (const [name, value] of Object.entries(values)) put(name, value, facts?.values ?? new Map());
      if (facts && example) facts.length = example.text.length;
    },
    columns: () => [
      ...[...columns].flatMap((
        [name, values],
      ) => (values && values.size > 1 ? [column(name, [...values.keys()])] : [])),
      ...binned(
        [...sample.units].flatMap(([row, { length }]) => (length === undefined ? [] : [[Number(row), length]])),
      ),
    ],
  };
}

/** Lengths in parts of about as many rows. */
function binned(lengths: readonly (readonly [row: number, length: number])[]): SliceColumn[] {
  const sorted = lengths.map(([, length]) => length).sort((a, b) => a - b);
  const edges = [
    ...new Set(Array.from({ length: BINS - 1 }, (_, i) => sorted[Math.floor((i + 1) * sorted.length / BINS)] ?? 0)),
  ];
  if (edges.length === 0 || sorted[0] === sorted.at(-1)) return [];
  const names = [...edges, Infinity].map((edge, i) => {
    const from = i === 0 ? 0 : edges[i - 1];
    return edge === Infinity ? `${from} or more` : `${from} to ${edge - 1}`;
  });
  const of = new Map(lengths.map(([row, length]): [number, number] => {
    const at = edges.findIndex((edge) => length < edge);
    return [row, at < 0 ? edges.length : at];
  }));
  return [{ name: "length (characters)", values: names, of }];
}
