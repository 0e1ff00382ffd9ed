/**
 * Metrics over plain predictions and references, one row at a time: an evaluation without a model.
 */
import { type BootstrapOptions, intervalsOrNone } from "../statistics/bootstrap.ts";
import { figuresOf } from "../statistics/by_chance.ts";
import { asNumber, classReader } from "../data/class_reader.ts";
import { flatMetric } from "../statistics/figures.ts";
import type { Interval } from "../statistics/intervals.ts";
import { collectMetric, UNITS } from "../statistics/metric_statistics.ts";
import { RESAMPLES } from "../statistics/resamples.ts";
import { badValue, tooMuch } from "../base/errors.ts";
import { inRow } from "../loop/measure.ts";
import type { Json, Metric, MetricInputs, Named } from "../types.ts";

/** A row with its prediction and reference in plain form. */
export type PlainRow = Readonly<{
  /**
   * A class or its name, a class's scores, a number, classes, tags, a text; `{ sum, count }` or a number for a loss.
   */
  prediction?: unknown;
  /** In the same form as the prediction; a text may have several references. */
  reference?: unknown;
  /** The score of each class, or, of two classes, a single score of the second. */
  scores?: unknown;
  /** Probability of an empty answer (SQuAD 2.0). */
  noAnswerProbability?: unknown;
  /** Values of columns, for metrics by group. */
  groups?: unknown;
}>;

/** Metrics that accumulate rows. */
export interface MetricAccumulator {
  /** Adds a row. Throws AttuneError if a metric cannot read it. */
  add(row: PlainRow): void;
  compute(): Named<number | null>;
  /** Returns figures that are more than a number, by the same keys. */
  figures(): Named<Json>;
  /** Returns intervals, if `keep` is set; those of numbers within figures by their path. */
  intervals(options: BootstrapOptions): Named<Interval>;
}

type Kind = keyof MetricInputs;
type Example = MetricInputs[Kind];

/** Minimum steps of one draw. */
const DRAW = 20;

/** Number of values of a metric up to which their cost is ignored. */
const FEW = 100;

/**
 * Creates an accumulator of metrics. `labels`: names of classes; `keep`: keep what intervals need of rows; `maxSteps`:
 * approximate limit of elementary computation steps.
 *
 * @throws AttuneError from its methods.
 * @example
 * ```ts
 * import { measurer } from "attune";
 * import { accuracy } from "attune/metrics/accuracy";
 * const measured = measurer([accuracy()], { labels: ["bad", "good"] });
 * measured.add({ prediction: "good", reference: "good" });
 * measured.add({ prediction: [0.9, 0.1], reference: 1 });
 * console.assert(measured.compute().accuracy === 0.5);
 * ```
 */
export function measurer(
  metrics: readonly Metric[],
  options: Readonly<{ labels?: readonly string[]; keep?: boolean; maxSteps?: number }> = {},
): MetricAccumulator {
  const { keep = false, maxSteps = Infinity } = options;
  const classes = options.labels && classReader(options.labels);
  const plain = metrics.map((metric) => metric.init());
  const kinds: (Kind | undefined)[] = metrics.map(() => undefined);
  const collectors = keep ? metrics.map((metric) => collectMetric(flatMetric(metric))) : [];
  const stateOf = (i: number): unknown => (keep ? collectors[i]?.state() : plain[i]);
  /** Steps to draw all rows once, by metric. */
  const draws = metrics.map(() => 0);
  let rows = 0;
  let steps = 0;
  /** Counts steps before they are computed. Throws AttuneError above the limit. */
  const count = (more: number, where: string): void => {
    steps += more;
    if (steps > maxSteps) throw tooMuch("measure", where, "steps of computation", Math.round(steps), maxSteps);
  };
  /** Returns the number of values of a metric, those of its groups included. */
  const numbersOf = (i: number): number => {
    const metric = metrics[i];
    return metric?.figures ? Object.keys(flatMetric(metric).compute(stateOf(i))).length : 0;
  };
  const readingOf = (i: number, metric: Metric, row: PlainRow): Example => {
    const known = kinds[i];
    for (const kind of known ? [known] : metric.reads) {
      const readings = readers[kind](row, classes);
      if (readings === undefined) continue;
      kinds[i] = kind;
      return metric.columns
        ? { ...readings, columns: groupsIn(row), ...(options.labels ? { classes: options.labels } : {}) }
        : readings;
    }
    const allowed = (known ? [known] : metric.reads).map((kind) => forms[kind]).join(", or ");
    throw badValue(metric.name, `row ${rows}`, row, `${allowed}${classes ? "" : hint(row)}`);
  };
  return {
    add: (row) => {
      metrics.forEach((metric, i) => {
        const example = readingOf(i, metric, row);
        count(metric.steps?.(example) ?? lengthOf(example), `row ${rows}`);
        try {
          if (keep) collectors[i]?.add(rows, rows, [example]);
          else plain[i] = metric.update(plain[i], example);
        } catch (error) {
          throw inRow(error, rows, metric.name);
        }
        draws[i] = (draws[i] ?? 0) + drawsOf(example);
      });
      rows++;
    },
    compute: () => {
      const values: Record<string, number | null> = {};
      metrics.forEach((metric, i) => {
        metric.check?.(stateOf(i));
        for (const [key, value] of Object.entries(metric.compute(stateOf(i)))) {
          if (Object.hasOwn(values, key) && values[key] !== value) {
            throw badValue("measure", "metrics", key, "metrics with different names");
          }
          values[key] = value;
        }
      });
      return values;
    },
    figures: () => Object.assign({}, ...metrics.map((metric, i) => figuresOf(metric, stateOf(i)))) as Named<Json>,
    intervals: ({ samples = RESAMPLES, confidence = 0.95, random }) => {
      const share = Math.min(1, UNITS / Math.max(1, rows));
      draws.forEach((one, i) => {
        const numbers = numbersOf(i);
        count(samples * (share * one + (numbers > FEW ? DRAW * numbers : 0)), "intervals.samples");
      });
      return Object.assign(
        {},
        ...collectors.map((collector) => intervalsOrNone(collector.end(), { samples, confidence, random })),
      );
    },
  };
}

/**
 * Returns the names of classes in rows, sorted by code points as in scikit-learn; undefined if no row names a class. If
 * some rows have classes as text and others as numbers, 1 and "1" are the same class.
 *
 * @throws AttuneError if some rows name classes and others number them.
 */
export function labelNames(rows: Iterable<PlainRow>): readonly string[] | undefined {
  const names = new Set<string>();
  const others = new Set<number | boolean>();
  for (const { prediction, reference } of rows) {
    // A list of numbers as the prediction of a single class has the scores of all classes.
    const scored = Array.isArray(prediction) && prediction.every(isNumber) && !Array.isArray(reference);
    for (const value of [scored ? [] : prediction, reference].flat()) {
      if (typeof value === "string") names.add(value);
      else if (isNumber(value) || typeof value === "boolean") others.add(value);
    }
  }
  if (names.size === 0) return undefined;
  const numbers = [...names].every((name) => asNumber(name) !== undefined);
  const read = classReader([...names]);
  const alike = (value: number | boolean): boolean =>
    names.has(String(value)) || (numbers && read(value) !== undefined);
  if (others.size > 0 && !numbers && ![...others].some(alike)) {
    const examples = [[...names].slice(0, 3), [...others].slice(0, 3)];
    throw badValue(
      "measure",
      "predictions, references",
      examples,
      "names or numbers of classes on both sides, or `labels`",
    );
  }
  for (const value of others) if (!alike(value)) names.add(String(value));
  return [...names].sort(byCodePoints);
}

function byCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((c, i) => c !== right[i]);
  if (at < 0) return left.length - right.length;
  return (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? -1);
}

type Classes = ((value: unknown) => number | undefined) | undefined;

const forms: Readonly<Record<Kind, string>> = {
  label: "a class as prediction and reference",
  number: "numbers as prediction and reference",
  labels: "lists of classes as prediction and reference",
  loss: "a loss as prediction: a number, or { sum, count }",
  tags: "lists of tags as prediction and reference",
  text: "a text as prediction, a text or several as reference",
};

function hint({ prediction, reference }: PlainRow): string {
  return typeof prediction === "string" || typeof reference === "string" ? "; class names need `labels`" : "";
}

/** Converts a row to a kind of reading; undefined if it is not of that kind. */
const readers: { readonly [K in Kind]: (row: PlainRow, classes: Classes) => MetricInputs[K] | undefined } = {
  label: ({ prediction, reference, scores }, classes) => {
    const numbers = scoresOf(scores ?? (Array.isArray(prediction) ? prediction : undefined));
    const actual = classOf(reference, classes);
    const predicted = Array.isArray(prediction) || prediction === undefined || prediction === null
      ? numbers && highest(numbers)
      : classOf(prediction, classes);
    if (actual === undefined || predicted === undefined || predicted < 0) return undefined;
    return { prediction: predicted, reference: actual, ...(numbers ? { scores: numbers } : {}) };
  },
  number: ({ prediction, reference }) =>
    isNumber(prediction) && isNumber(reference) ? { prediction, reference } : undefined,
  labels: ({ prediction, reference, scores }, classes) => {
    const numbers = scoresOf(scores);
    const [predicted, actual] = [classesOf(prediction, classes), classesOf(reference, classes)];
    return predicted && actual && { prediction: predicted, reference: actual, ...(numbers ? { scores: numbers } : {}) };
  },
  loss: ({ prediction }) => {
    if (isNumber(prediction)) return { sum: prediction, count: 1 };
    const { sum, count } = Object(prediction) as { sum?: unknown; count?: unknown };
    return isNumber(sum) && isNumber(count) ? { sum, count } : undefined;
  },
  tags: ({ prediction, reference }) =>
    areTexts(prediction) && areTexts(reference) ? { prediction, reference } : undefined,
  text: ({ prediction, reference, noAnswerProbability: p }) => {
    const references = typeof reference === "string" ? [reference] : reference;
    if (typeof prediction !== "string" || !areTexts(references)) return undefined;
    return { prediction, references, ...(isNumber(p) ? { noAnswerProbability: p } : {}) };
  },
};

/** Returns the values of a row's columns. Throws AttuneError if `groups` is not an object. */
function groupsIn({ groups = {} }: PlainRow): Named<Json> {
  if (typeof groups === "object" && groups !== null && !Array.isArray(groups)) return groups as Named<Json>;
  throw badValue("measure", "groups", groups, "an object with the values of each column");
}

/** Returns the index of the highest score, the first of equal ones; -1 if one is NaN. */
function highest(scores: readonly number[]): number {
  let best = 0;
  for (const [i, score] of scores.entries()) {
    if (Number.isNaN(score)) return -1;
    if (score > (scores[best] ?? 0)) best = i;
  }
  return best;
}

/** Returns the steps needed to read an example once. */
function lengthOf(example: Example): number {
  if ("references" in example) {
    return example.references.reduce((n, { length }) => n + length + example.prediction.length, 0);
  }
  if (!("prediction" in example)) return 1;
  const { prediction, reference } = example;
  const scores = "scores" in example ? example.scores?.length ?? 0 : 0;
  const [predicted, actual] = [prediction, reference].map((side) => (Array.isArray(side) ? side.length : 0));
  return 1 + (predicted ?? 0) + (1 + scores) * (1 + (actual ?? 0));
}

/** Returns the steps needed to draw an example once; texts have already been read then. */
function drawsOf(example: Example): number {
  return DRAW + ("references" in example ? 0 : lengthOf(example));
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function classOf(value: unknown, classes: Classes): number | undefined {
  if (classes) return classes(value);
  return typeof value === "boolean" ? Number(value) : isNumber(value) ? value : undefined;
}

function classesOf(value: unknown, classes: Classes): readonly number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const ids = value.map((item) => classOf(item, classes));
  return ids.every(isNumber) ? ids : undefined;
}

/** Returns the scores of all classes; a single number is the score of the second of two classes. */
function scoresOf(value: unknown): readonly number[] | undefined {
  if (isNumber(value)) return [1 - value, value];
  return Array.isArray(value) && value.length > 0 && value.every(isNumber) ? value : undefined;
}
