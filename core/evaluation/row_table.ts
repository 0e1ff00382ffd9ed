/** Columns and lengths of a sample of evaluated rows: what slices are made of. */
import { UNITS } from "../statistics/metric_statistics.ts";
import { createUnitSample } from "../statistics/unit_sample.ts";
import type { Named, Row } from "../types.ts";

/** A column whose values make slices: which value each row has. */
export type SliceColumn = Readonly<{ name: string; values: readonly string[]; of: ReadonlyMap<number, number> }>;

/** What is kept of rows. */
export type RowTable = Readonly<{
  /** `lengths`: of the row's text, and of its answer. */
  add(row: number, values: Row, lengths: Named<number>): void;
  columns(): readonly SliceColumn[];
}>;

/** Values that a column may have at most to make slices, and characters of each. */
const [VALUES, CHARACTERS] = [50, 60];

/** Parts of about as many rows that lengths are cut into. */
const BINS = 4;

/** The names of columns of lengths. */
const LENGTHS = { length: "length (characters)", answer: "length of the answer (characters)" };

/** Creates an empty table. It keeps the rows that statistics of a metric keep. */
export function createRowTable(): RowTable {
  const columns = new Map<string, Map<string, number> | undefined>();
  const sample = createUnitSample<{ values: Map<string, number>; lengths: Named<number> }>(UNITS);
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
    add: (row, values, lengths) => {
      const facts = sample.of(row, () => ({ values: new Map(), lengths }));
      // Every row counts where a column has too many values.
      for (const [name, value] of Object.entries(values)) put(name, value, facts?.values ?? new Map());
      if (facts) facts.lengths = lengths;
    },
    columns: () => [
      ...[...columns].flatMap((
        [name, values],
      ) => (values && values.size > 1 ? [column(name, [...values.keys()])] : [])),
      ...Object.entries(LENGTHS).flatMap(([key, name]) =>
        binned(
          name,
          [...sample.units].flatMap(([row, { lengths }]) =>
            lengths[key] === undefined ? [] : [[Number(row), lengths[key]] as const]
          ),
        )
      ),
    ],
  };
}

/** Lengths in parts of about as many rows. */
function binned(name: string, lengths: readonly (readonly [row: number, length: number])[]): SliceColumn[] {
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
  return [{ name, values: names, of }];
}
