/** The task of classifying (or scoring) whole texts, shared by several objectives. */
import { classReader } from "../../core/data/class_reader.ts";
import { classNames, type HeadClasses, headClasses, labelConfig, unnamedClasses } from "../../core/data/class_names.ts";
import { sizeOf } from "../../core/base/tensor.ts";
import type { Json, LabelNames, MetricInputs, Named, Subtask, Tensor } from "../../core/types.ts";
import { areNumbersOf, classesIn } from "./labels_of_rows.ts";

/** The classes of a text classification. */
export interface SequenceClassificationOptions {
  /**
   * Class names in the order of their ids. Without these and `numLabels`: the checkpoint's `id2label`, or else the
   * names in the training rows, sorted.
   */
  readonly labels?: readonly string[] | undefined;
  /** The number of classes, or of values of a regression. */
  readonly numLabels?: number | undefined;
  /** The kind of label: one class per row, several labels per row, or numbers. */
  readonly problemType: "single-label" | "multi-label" | "regression";
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

const problems: Readonly<Record<SequenceClassificationOptions["problemType"], string>> = {
  "single-label": "single_label_classification",
  "multi-label": "multi_label_classification",
  regression: "regression",
};

/** Returns the task; the objectives that share it differ in how they compute logits. */
export function classificationTask(options: SequenceClassificationOptions): Subtask {
  const { labels: named, numLabels: count, problemType } = options;
  const size = named?.length ?? count ?? (problemType === "regression" ? 1 : 2);
  const labels = named ?? unnamedClasses(size);
  const task = taskOf(options, { names: labels }, labels);
  if (problemType === "regression") return task;
  const open = named === undefined && count === undefined;
  return {
    ...task,
    ...(open ? { labelsIn: labelNames(options) } : {}),
    withConfig: (context) => {
      const classes = (open ? classNames(context.config) : undefined) ?? labels;
      return taskOf(options, headClasses(classes, "sequence", context), classes);
    },
  };
}

/** Returns the task for known classes, in the order of the head. */
function taskOf(
  { problemType, columns }: SequenceClassificationOptions,
  { names, order, note }: HeadClasses,
  labels: readonly string[],
): Subtask {
  const size = labels.length;
  const loss = problemType === "single-label"
    ? "cross-entropy"
    : problemType === "multi-label"
    ? "bce-with-logits"
    : "mse";
  return {
    name: "",
    labels,
    ...(note === undefined ? {} : { notes: [note] }),
    ...(problemType === "single-label" ? { classIds: classIdOf(labels, columns) } : {}),
    collator: { use: "padding", with: { problemType, labels, numLabels: size, columns } },
    heads: [{ use: "sequence", with: { numLabels: size, order } }],
    losses: [{ loss, output: "logits", target: "labels", classes: size }],
    metrics: problemType === "regression"
      ? ["mse", "mae", "pearson"]
      : problemType === "multi-label"
      ? [{ use: "f1", with: { average: "micro" } }, { use: "f1", with: { average: "macro" } }]
      : ["accuracy", { use: "f1", with: { average: "macro" } }],
    taskType: "SEQ_CLS",
    config: { ...labelConfig(names), problem_type: problems[problemType] },
    decode: (outputs, batch) => readings(outputs, batch.inputs.labels, problemType, size),
    ...(problemType === "regression" ? {} : { triedReadings: () => triedReadings(problemType, size) }),
    predict: (outputs) => predictions(outputs, labels, problemType, size),
  };
}

/** Returns the class of a row, as the collator reads it. */
function classIdOf(
  labels: readonly string[],
  columns: SequenceClassificationOptions["columns"],
): NonNullable<Subtask["classIds"]> {
  const read = classReader(labels);
  return (row) => {
    const id = read(row[columns.label ?? ("label" in row ? "label" : "labels")]);
    // The collator has the better message for an invalid label.
    return id === undefined ? [] : [id];
  };
}

/** Returns the names of the classes in the rows. */
function labelNames({ problemType, columns }: SequenceClassificationOptions): LabelNames {
  const several = problemType === "multi-label";
  const column = columns.label ?? (several ? columns.labels ?? "labels" : undefined);
  return {
    valueOf: (row) => row[column ?? ("label" in row ? "label" : "labels")] as Json | undefined,
    namesOf: (values, classes = {}) => {
      const named = column === undefined ? classes.label ?? classes.labels : classes[column];
      const all = values.map(([, value]) => value);
      if (named && areNumbersOf(named, all.flat())) return named;
      // The collator has the better message for rows without the column.
      const there = values.filter(([, value]) => value !== undefined);
      if (there.length === 0) return unnamedClasses(2);
      if (!several) return classesIn(there);
      const lists = there.map(([row, value]) => [row, Array.isArray(value) ? value : []] as const);
      const size = lists[0]?.[1].length ?? 0;
      const hot = lists.every(([, list]) =>
        list.length === size && list.every((x) => x === 0 || x === 1 || typeof x === "boolean")
      );
      if (hot && size > 0) return unnamedClasses(size);
      return classesIn(lists.flatMap(([row, list]) => list.map((value: unknown) => [row, value] as const)));
    },
  };
}

function rowsOf(outputs: Named<Tensor>, size: number): Float32Array[] {
  const logits = outputs.logits;
  if (!(logits?.data instanceof Float32Array)) return [];
  const data = logits.data;
  return Array.from({ length: sizeOf(logits.dims) / size }, (_, i) => data.subarray(i * size, (i + 1) * size));
}

function readings(
  outputs: Named<Tensor>,
  target: Tensor | undefined,
  problemType: SequenceClassificationOptions["problemType"],
  size: number,
): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] } {
  const rows = rowsOf(outputs, size);
  const at = (i: number, k = 0): number =>
    Number(target?.data[i * (problemType === "single-label" ? 1 : size) + k] ?? 0);
  if (problemType === "regression") {
    return { number: rows.flatMap((row, i) => [...row].map((prediction, k) => ({ prediction, reference: at(i, k) }))) };
  }
  if (problemType === "single-label") {
    return { label: rows.map((row, i) => ({ prediction: argmax(row), reference: at(i), scores: softmax(row) })) };
  }
  return {
    labels: rows.map((row, i) => ({
      prediction: indices(size, (k) => (row[k] ?? 0) > 0),
      reference: indices(size, (k) => at(i, k) > 0.5),
      scores: [...row].map(logistic),
    })),
  };
}

/** Returns sample readings, each of another class and answered correctly. */
function triedReadings(
  problemType: SequenceClassificationOptions["problemType"],
  size: number,
): ReturnType<typeof readings> {
  const count = Math.min(size, 3);
  const data = Float32Array.from({ length: count * size }, (_, i) => (i % size === Math.floor(i / size) ? 1 : 0));
  const logits: Tensor = { dtype: "float32", dims: [count, size], data };
  const ids: Tensor = { dtype: "int32", dims: [count], data: Int32Array.from({ length: count }, (_, i) => i) };
  return readings({ logits }, problemType === "single-label" ? ids : logits, problemType, size);
}

function predictions(
  outputs: Named<Tensor>,
  labels: readonly string[],
  problemType: SequenceClassificationOptions["problemType"],
  size: number,
): Named<Json>[] {
  return rowsOf(outputs, size).map((row): Named<Json> => {
    if (problemType === "regression") return size === 1 ? { score: row[0] ?? 0 } : { scores: [...row] };
    const scores = problemType === "single-label" ? softmax(row) : [...row].map(logistic);
    const named = Object.fromEntries(labels.map((label, i) => [label, scores[i] ?? 0]));
    if (problemType === "multi-label") {
      return { labels: labels.filter((_, i) => (scores[i] ?? 0) > 0.5), scores: named };
    }
    const best = argmax(row);
    return { label: labels[best] ?? "", score: scores[best] ?? 0, scores: named };
  });
}

function argmax(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] ?? 0) > (row[best] ?? 0)) best = i;
  return best;
}

function softmax(row: ArrayLike<number>): number[] {
  const top = Math.max(...Array.from(row));
  const powers = Array.from(row, (x) => Math.exp(x - top));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function indices(size: number, holds: (k: number) => boolean): number[] {
  return Array.from({ length: size }, (_, k) => k).filter(holds);
}
