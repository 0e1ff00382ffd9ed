/** Class numbers from sources that order their classes differently from the task. */
import { sha256 } from "../base/sha256.ts";
import { classReader } from "./class_reader.ts";
import type { Dataset, Row, RowColumns, Rows } from "../types.ts";

/**
 * Returns rows whose class numbers mean the same classes as in their source: if the task has a class at another index,
 * or would read the number as a name, the number is replaced by the class name. A column with a name that the task does
 * not know is left unchanged.
 */
export async function withNamedClasses(rows: Rows, classes: RowColumns["classes"] = {}): Promise<Rows> {
  const tables = Object.entries(classes).flatMap(([column, labels]) => {
    const table = namesFor(rows.classes?.[column] ?? [], labels);
    return table ? [[column, table] as const] : [];
  });
  if (tables.length === 0) return rows;
  const withNames = (row: Row): Row => {
    const changed: Record<string, unknown> = { ...row };
    for (const [column, table] of tables) if (Object.hasOwn(row, column)) changed[column] = nameOf(row[column], table);
    return changed;
  };
  const { at } = rows;
  return {
    ...rows,
    fingerprint: await sha256(JSON.stringify([rows.fingerprint, tables])),
    classes: { ...rows.classes, ...Object.fromEntries(tables.map(([column]) => [column, classes[column] ?? []])) },
    notes: [
      ...rows.notes ?? [],
      ...tables.map(([column, table]) =>
        `"${column}" has numbers of classes in the order of the data: ${
          table.map((name, i) => `${i} ${JSON.stringify(name)}`).join(", ")
        }, ` +
        "unlike in the task"
      ),
    ],
    read: async function* (from) {
      for await (const item of rows.read(from)) yield { ...item, row: withNames(item.row) };
    },
    ...(at ? { at: async (indices: readonly number[]) => (await at(indices)).map(withNames) } : {}),
  };
}

/** Returns the task's name for each class number of a source; undefined if numbers agree or a name is unknown. */
function namesFor(names: readonly string[], labels: readonly string[]): readonly string[] | undefined {
  const read = classReader(labels);
  const ids = names.map((name) => {
    const exact = labels.indexOf(name);
    return exact >= 0 ? exact : labels.findIndex((label) => label.toLowerCase() === name.toLowerCase());
  });
  if (ids.includes(-1) || new Set(ids).size < ids.length || ids.every((id, i) => read(i) === id)) return undefined;
  return ids.map((id) => labels[id] ?? "");
}

/** Returns a data set whose rows pass through `withNamedClasses`. */
export function inNamedClasses(dataset: Dataset, classes: RowColumns["classes"]): Dataset {
  return classes
    ? { ...dataset, open: async (host) => await withNamedClasses(await dataset.open(host), classes) }
    : dataset;
}

function nameOf(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => nameOf(one, names));
  return typeof value === "number" ? names[value] ?? value : value;
}

/** Returns a function that normalizes a row's classes, names and numbers alike, to compare rows across sources. */
export function withSameClasses(classes: RowColumns["classes"] = {}): (row: Row) => Row {
  const readers = Object.entries(classes).map(([column, labels]) => [column, classReader(labels)] as const);
  if (readers.length === 0) return (row) => row;
  return (row) => {
    const same: Record<string, unknown> = { ...row };
    for (const [column, read] of readers) if (Object.hasOwn(row, column)) same[column] = sameClass(row[column], read);
    return same;
  };
}

function sameClass(value: unknown, read: ReturnType<typeof classReader>): unknown {
  if (Array.isArray(value)) return value.map((one) => sameClass(one, read));
  const id = read(value);
  // Wrapped, so that a class is never equal to a value that is no class.
  return id === undefined ? value : { class: id };
}
