/**
 * The confusion matrix: which class was taken for which.
 * @module
 */
import { classesOf } from "./counts.ts";

/** Counts by reference, then prediction; only pairs that occurred. */
export type Confusion = { rows: number; cells: { [reference: string]: { [prediction: string]: number } } };

/** No rows. */
export function emptyConfusion(): Confusion {
  return { rows: 0, cells: {} };
}

/**
 * Adds a row. Changes and gives back `state`.
 *
 * @throws AttuneError where a class is not a whole number.
 */
export function addToConfusion(plugin: string, state: Confusion, prediction: number, reference: number): Confusion {
  classesOf(plugin, "prediction", prediction);
  classesOf(plugin, "reference", reference);
  state.rows++;
  const row = state.cells[reference] ??= {};
  row[prediction] = (row[prediction] ?? 0) + 1;
  return state;
}

/** The rows of both. */
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

/** The matrix: classes in ascending order, and `counts[reference][prediction]` by their place in it. */
export function matrixOf(
  state: Confusion,
): Readonly<{ labels: readonly number[]; counts: readonly (readonly number[])[] }> {
  const found = new Set<number>();
  for (const [reference, row] of Object.entries(state.cells)) {
    found.add(Number(reference));
    for (const prediction of Object.keys(row)) found.add(Number(prediction));
  }
  const labels = [...found].sort((a, b) => a - b);
  return { labels, counts: labels.map((r) => labels.map((p) => state.cells[r]?.[p] ?? 0)) };
}
