/** Confusion matrices. */
import { classesOf } from "./counts.ts";

/** Counts by reference, then prediction, of the pairs that occurred. */
export type Confusion = { rows: number; cells: { [reference: string]: { [prediction: string]: number } } };

/** Returns a matrix without rows. */
export function emptyConfusion(): Confusion {
  return { rows: 0, cells: {} };
}

/**
 * Adds a row. Changes and returns `state`.
 *
 * @throws AttuneError if a class is not a whole number.
 */
export function addToConfusion(plugin: string, state: Confusion, prediction: number, reference: number): Confusion {
  classesOf(plugin, "prediction", prediction);
  classesOf(plugin, "reference", reference);
  state.rows++;
  const row = state.cells[reference] ??= {};
  row[prediction] = (row[prediction] ?? 0) + 1;
  return state;
}

/** Adds two matrices. */
export function mergeConfusions(a: Confusion, b: Confusion): Confusion {
  const cells: Confusion["cells"] = {};
  for (const state of [a, b]) {
    for (const [reference, row] of Object.entries(state.cells)) {
      const into = cells[reference] ??= {};
      for (const [prediction, count] of Object.entries(row)) into[prediction] = (into[prediction] ?? 0) + count;
    }
  }
  return { rows: a.rows + b.rows, cells };
}

/** Lists every pair that occurred, with its count. */
export function cellsOf(
  { cells }: Confusion,
): readonly Readonly<{ reference: number; prediction: number; count: number }>[] {
  return Object.entries(cells).flatMap(([reference, row]) =>
    Object.entries(row).map(([prediction, count]) => ({
      reference: Number(reference),
      prediction: Number(prediction),
      count,
    }))
  );
}
