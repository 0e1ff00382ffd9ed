/**
 * Counts per class, from which accuracy, precision, recall, F1, Matthews' coefficient and kappa are computed. A state
 * grows with the number of classes, not with that of rows.
 */
import { badValue } from "../../core/base/errors.ts";

/** How often a class was predicted rightly, was predicted, and occurred. */
export type ClassCount = [truePositives: number, predicted: number, actual: number];

/** Counts per class; `correct`: rows in which everything was right. */
export type ClassCounts = { rows: number; correct: number; classes: { [label: string]: ClassCount } };

/** Returns counts of no rows. */
export function emptyCounts(): ClassCounts {
  return { rows: 0, correct: 0, classes: {} };
}

/**
 * Adds a row with one class, or with any number of classes. Changes and returns `state`.
 *
 * @throws AttuneError if a class is not a whole number.
 */
export function countRow(
  plugin: string,
  state: ClassCounts,
  prediction: number | readonly number[],
  reference: number | readonly number[],
): ClassCounts {
  const predicted = classesOf(plugin, "prediction", prediction);
  const actual = classesOf(plugin, "reference", reference);
  state.rows++;
  let right = 0;
  for (const label of predicted) {
    const hit = actual.includes(label);
    if (hit) right++;
    addTo(state.classes, String(label), hit ? 1 : 0, 1, 0);
  }
  for (const label of actual) addTo(state.classes, String(label), 0, 0, 1);
  if (right === predicted.length && right === actual.length) state.correct++;
  return state;
}

/** Adds counts to one class. */
export function addTo(
  classes: ClassCounts["classes"],
  label: string,
  truePositives: number,
  predicted: number,
  actual: number,
): void {
  // This key would set the object's prototype.
  if (label === "__proto__") throw badValue("metric", "label", label, "another name");
  const count = Object.hasOwn(classes, label) ? classes[label] : undefined;
  if (count === undefined) classes[label] = [truePositives, predicted, actual];
  else {
    count[0] += truePositives;
    count[1] += predicted;
    count[2] += actual;
  }
}

/** Adds two counts. */
export function mergeCounts(a: ClassCounts, b: ClassCounts): ClassCounts {
  return { rows: a.rows + b.rows, correct: a.correct + b.correct, classes: mergeClasses(a.classes, b.classes) };
}

/** Adds the counts of each class. */
function mergeClasses(a: ClassCounts["classes"], b: ClassCounts["classes"]): ClassCounts["classes"] {
  const classes: ClassCounts["classes"] = {};
  for (const [label, count] of Object.entries(a)) addTo(classes, label, ...count);
  for (const [label, count] of Object.entries(b)) addTo(classes, label, ...count);
  return classes;
}

/** Returns the distinct class numbers, after checking them. */
export function classesOf(plugin: string, path: string, value: number | readonly number[]): readonly number[] {
  const list = typeof value === "number" ? [value] : value;
  for (const label of list) if (!Number.isInteger(label)) throw badValue(plugin, path, label, "the number of a class");
  return list.length > 1 ? [...new Set(list)] : list;
}
