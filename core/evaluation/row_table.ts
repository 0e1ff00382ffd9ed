/** Columns and lengths of a sample of evaluated rows, from which slices are formed. */
import { UNITS } from "../statistics/metric_statistics.ts";
import { createUnitSample } from "../statistics/unit_sample.ts";
import type { Named, Row } from "../types.ts";

/** A column that forms slices: its values, and the index of each row's value. */
export type SliceColumn = Readonly<{ name: string; values: readonly string[]; of: ReadonlyMap<number, number> }>;

/** Values and lengths of rows. */
export type RowTable = Readonly<{
  /** Adds a row. `lengths`: of its text and of its answer, in characters. */
  add(row: number, values: Row, lengths: Named<number>): void;
  columns(): readonly SliceColumn[];
}>;

/** Maximum number of values of a column that forms slices, and maximum characters of a value. */
const [VALUES, CHARACTERS] = [50, 60];

/** Number of parts, with about the same number of rows, into which lengths are divided. */
const BINS = 4;

/** The names of columns of lengths. */
const LENGTHS = { length: "length (characters)", answer: "length of the answer (characters)" };

/** Creates an empty table. It samples the same rows as the statistics of metrics. */
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
      // Also counts values of rows outside the sample, to find columns with too many values.
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

/** Divides lengths into parts with about the same number of rows. */
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
