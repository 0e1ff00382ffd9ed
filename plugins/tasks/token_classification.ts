/**
 * The objective of tagging words: names, parts of speech, chunks.
 * @module
 */
import * as v from "valibot";
import { classReader } from "../../core/data/class_reader.ts";
import { classNames, type HeadClasses, headClasses, labelConfig, unnamedClasses } from "../../core/data/class_names.ts";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Batch, Factory, Json, LabelNames, MetricInputs, Named, Subtask, Tensor } from "../../core/types.ts";
import { areNumbersOf, classesIn, type Label, labelsSchema } from "../../blocks/task/mod.ts";

/** Options of {@link tokenClassification}. */
export interface TokenClassificationOptions {
  /**
   * Names of the tags in the order of their ids. Without these and `numLabels`: the checkpoint's `id2label`, or else
   * the names in the training rows, sorted.
   */
  readonly labels?: readonly string[] | undefined;
  /** The number of tags, if they have no names. */
  readonly numLabels?: number | undefined;
  /** What to do with rows without words: raise an error, or skip them with a warning if there are labels. */
  readonly emptySentences: "refuse" | "skip";
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Partial<Omit<TokenClassificationOptions, "labels">> & Readonly<{ labels?: readonly Label[] }>;

/**
 * Token classification: `tokens` (words) and `tags`. The first token of a word has its label, the rest none.
 *
 * @example
 * ```ts
 * import { tokenClassification } from "attune/tasks/token-classification";
 * const { subtasks } = tokenClassification({ labels: ["O", "B-PER", "I-PER"] });
 * console.assert(subtasks[0]?.taskType === "TOKEN_CLS");
 * ```
 */
export const tokenClassification: Factory<"task", Input> = define({
  kind: "task",
  name: "token-classification",
  schema: v.strictObject({
    labels: v.optional(labelsSchema),
    numLabels: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.labels))),
    emptySentences: v.optional(v.picklist(["refuse", "skip"]), "refuse"),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: TokenClassificationOptions) => ({ subtasks: [openTask(options)] }),
});

function openTask(options: TokenClassificationOptions): Subtask {
  const { labels: named, numLabels } = options;
  const labels = named ?? unnamedClasses(numLabels ?? 2);
  const open = named === undefined && numLabels === undefined;
  return {
    ...taskOf({ names: labels }, labels, options),
    ...(open ? { labelsIn: labelNames(options) } : {}),
    withConfig: (context) => {
      const classes = (open ? classNames(context.config) : undefined) ?? labels;
      return taskOf(headClasses(classes, "token", context), classes, options);
    },
  };
}

/** Returns the task for known tags, in the order of the head. */
function taskOf(
  { names, order, note }: HeadClasses,
  labels: readonly string[],
  { emptySentences, columns }: TokenClassificationOptions,
): Subtask {
  const read = classReader(labels);
  return {
    name: "",
    labels,
    ...(note === undefined ? {} : { notes: [note] }),
    classIds: (row) => {
      const tags = row[columns.tags ?? "tags"];
      // The collator has the better message for an invalid tag.
      return Array.isArray(tags) ? tags.flatMap((tag) => read(tag) ?? []) : [];
    },
    collator: { use: "token-labels", with: { labels, emptySentences, columns } },
    heads: [{ use: "token", with: { numLabels: labels.length, order } }],
    losses: [{ loss: "cross-entropy", output: "logits", target: "labels", classes: labels.length }],
    metrics: ["seqeval"],
    taskType: "TOKEN_CLS",
    config: labelConfig(names),
    decode: ({ logits }, batch) => ({ tags: tagReadings(logits, batch, labels) }),
    predict: ({ logits }, batch) => tagPredictions(logits, batch, labels),
  };
}

/** Returns the names of the tags in the rows. */
function labelNames({ columns }: TokenClassificationOptions): LabelNames {
  const column = columns.tags ?? "tags";
  return {
    // The collator has the better message for rows without the column; ready-made rows have only numbers.
    valueOf: (row) => {
      const tags = row["input_ids" in row ? "" : column];
      return Array.isArray(tags) ? [...new Set(tags)].sort() : null;
    },
    namesOf: (values, classes = {}) => {
      const tags = values.flatMap(([row, list]) =>
        Array.isArray(list) ? list.map((tag: unknown) => [row, tag] as const) : [[row, undefined] as const]
      );
      const named = classes[column];
      if (named && areNumbersOf(named, tags.map(([, tag]) => tag))) return named;
      return values.every(([, list]) => Array.isArray(list)) ? classesIn(tags) : unnamedClasses(2);
    },
  };
}

/** Returns the tags of each sequence's words, in order, from the logits of labelled positions. */
function tagReadings(logits: Tensor | undefined, batch: Batch, names: readonly string[]): MetricInputs["tags"][] {
  const { labels, "labels.at": at } = batch.inputs;
  const sequences = Array.from({ length: batch.sequences }, () => ({
    prediction: [] as string[],
    reference: [] as string[],
  }));
  for (let i = 0; i < (at?.data.length ?? 0); i++) {
    const sequence = sequences[batch.tokenOrigins[2 * Number(at?.data[i])] ?? -1];
    const reference = Number(labels?.data[i]);
    if (!sequence || reference < 0) continue;
    sequence.reference.push(names[reference] ?? "");
    sequence.prediction.push(names[bestClass(logits, i, names.length).index] ?? "");
  }
  return sequences;
}

/** Returns a tag for each word; null for words without a token, or beyond maxLength. */
function tagPredictions(logits: Tensor | undefined, batch: Batch, names: readonly string[]): Named<Json>[] {
  const places: number[][] = Array.from({ length: batch.sequences }, () => []);
  for (let place = 0; place < batch.tokenOrigins.length / 2; place++) {
    const positions = places[batch.tokenOrigins[2 * place] ?? -1];
    if (positions) positions[batch.tokenOrigins[2 * place + 1] ?? 0] = place;
  }
  return places.map((positions, i) => {
    const starts = batch.metadata?.[i] as readonly number[] | undefined;
    const words = (starts ?? []).map((start) => {
      const place = positions[start];
      return place === undefined ? undefined : bestClass(logits, place, names.length);
    });
    return {
      tags: words.map((word) => (word ? names[word.index] ?? "" : null)),
      scores: words.map((word) => word?.score ?? null),
    };
  });
}

/** Returns the best class in row i of the logits, and its probability. */
function bestClass(logits: Tensor | undefined, i: number, size: number): Readonly<{ index: number; score: number }> {
  const row = Array.from({ length: size }, (_, k) => Number(logits?.data[i * size + k]));
  const top = Math.max(...row);
  return { index: row.indexOf(top), score: 1 / row.reduce((sum, x) => sum + Math.exp(x - top), 0) };
}
