/** Precision, recall and F over classes, averaged as in scikit-learn. */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import type { MetricInputs, Named } from "../../core/types.ts";
import { type ClassCount, type ClassCounts, classesOf, countRow, emptyCounts, mergeCounts } from "./counts.ts";
import { addToMean, emptyMean, finite, type Mean, meanOf, mergeMeans, type MetricParts } from "./mean.ts";

/** How the scores of classes are averaged. */
export type Average = "binary" | "micro" | "macro" | "weighted" | "samples" | "none";

/** Options of precision, recall, F1 and similar metrics. */
export interface AveragingOptions {
  /**
   * `binary`: for the class `posLabel` only; `micro`: over all decisions; `macro`: the mean over classes; `weighted`:
   * the mean weighted by class frequency; `samples`: the mean over rows; `none`: each class.
   */
  readonly average: Average;
  /** The classes to count, including some that never occur; absent: all that occur. */
  readonly labels?: readonly number[] | undefined;
  /** The positive class of `binary`. */
  readonly posLabel: number;
  /** The value of 0/0; null leaves it out of averages. */
  readonly zeroDivision: 0 | 1 | null;
}

/** Schema entries of {@link AveragingOptions}. */
export const averagingEntries: {
  readonly average: v.OptionalSchema<v.GenericSchema<Average>, "binary">;
  readonly labels: v.OptionalSchema<v.GenericSchema<readonly number[]>, undefined>;
  readonly posLabel: v.OptionalSchema<v.GenericSchema<number>, 1>;
  readonly zeroDivision: v.OptionalSchema<v.GenericSchema<0 | 1 | null>, 0>;
} = {
  average: v.optional(v.picklist(["binary", "micro", "macro", "weighted", "samples", "none"]), "binary"),
  labels: v.optional(v.pipe(v.array(v.pipe(v.number(), v.integer())), v.minLength(1), v.readonly()), undefined),
  posLabel: v.optional(v.pipe(v.number(), v.integer()), 1),
  zeroDivision: v.optional(v.nullable(v.picklist([0, 1])), 0),
};

/** Schema of {@link AveragingOptions}. */
export const averagingSchema: v.GenericSchema<Partial<AveragingOptions>, AveragingOptions> = v.strictObject(
  averagingEntries,
);

/** Three scores; null if undefined. */
export type Scores = Readonly<{ precision: number | null; recall: number | null; f: number | null }>;

type State = ClassCounts & { samples?: Readonly<{ precision: Mean; recall: Mean; f: Mean }> };

/**
 * Returns a metric over counts per class. `keys` returns the names and values to report for some scores, given a
 * suffix: the average, or the class.
 */
export function averageOver(
  plugin: string,
  options: AveragingOptions,
  beta: number,
  keys: (scores: Scores, suffix: string) => Named<number | null>,
): MetricParts {
  const bySample = options.average === "samples";
  return {
    reads: ["label", "labels"],
    greaterIsBetter: true,
    init: (): State => bySample ? { ...emptyCounts(), samples: noSamples } : emptyCounts(),
    update: (state: State, { prediction, reference }: MetricInputs["label" | "labels"]) => {
      if (options.average === "binary" && typeof reference !== "number") {
        const allowed = "micro, macro, weighted or samples, since a row may have several classes";
        throw badValue(plugin, "average", "binary", allowed);
      }
      countRow(plugin, state, prediction, reference);
      if (state.samples) {
        const row = sampleCount(classesOf(plugin, "prediction", prediction), classesOf(plugin, "reference", reference));
        const scores = averagedScores(row, options.zeroDivision, beta);
        state.samples = {
          precision: addScore(state.samples.precision, scores.precision),
          recall: addScore(state.samples.recall, scores.recall),
          f: addScore(state.samples.f, scores.f),
        };
      }
      return state;
    },
    merge: (a: State, b: State): State => {
      const counts = mergeCounts(a, b);
      return a.samples && b.samples
        ? {
          ...counts,
          samples: {
            precision: mergeMeans(a.samples.precision, b.samples.precision),
            recall: mergeMeans(a.samples.recall, b.samples.recall),
            f: mergeMeans(a.samples.f, b.samples.f),
          },
        }
        : counts;
    },
    compute: (state: State) => {
      const out: Record<string, number | null> = {};
      for (const [suffix, scores] of average(plugin, state, options, beta)) Object.assign(out, keys(scores, suffix));
      return out;
    },
  };
}

const noSamples = { precision: emptyMean, recall: emptyMean, f: emptyMean };
const nothing: Scores = { precision: null, recall: null, f: null };

function average(plugin: string, state: State, options: AveragingOptions, beta: number): (readonly [string, Scores])[] {
  const { average, labels, posLabel, zeroDivision } = options;
  const seen = Object.keys(state.classes).map(Number).sort((a, b) => a - b);
  const classes = labels ?? seen;
  if (average === "none") {
    return classes.map((label) => [String(label), state.rows ? of(label) : nothing]);
  }
  if (state.rows === 0) return [[average, nothing]];
  if (average === "samples") {
    const s = state.samples ?? noSamples;
    return [[average, { precision: meanOf(s.precision), recall: meanOf(s.recall), f: meanOf(s.f) }]];
  }
  if (average === "binary") {
    if (!labels && seen.length > 2) {
      throw badValue(plugin, "average", average, `micro, macro or weighted, since there are ${seen.length} classes`);
    }
    return [[average, of(posLabel)]];
  }
  return [[average, averageClasses(classes.map((label) => countOf(state, label)), average, zeroDivision, beta)]];

  function of(label: number): Scores {
    return averagedScores(countOf(state, label), zeroDivision, beta);
  }
}

/** Averages the scores of several classes. */
export function averageClasses(
  counts: readonly ClassCount[],
  average: "micro" | "macro" | "weighted",
  zeroDivision: 0 | 1 | null,
  beta: number,
): Scores {
  if (average === "micro") {
    const sum: ClassCount = [0, 0, 0];
    for (const count of counts) for (let i = 0; i < 3; i++) sum[i] = (sum[i] ?? 0) + (count[i] ?? 0);
    return averagedScores(sum, zeroDivision, beta);
  }
  const scores = counts.map((count) => averagedScores(count, zeroDivision, beta));
  const weights = average === "weighted" && counts.some((c) => c[2] > 0)
    ? counts.map((c) => c[2])
    : counts.map(() => 1);
  const over = (name: keyof Scores): number | null => {
    let [sum, total] = [0, 0];
    scores.forEach((s, i) => {
      const [x, weight] = [s[name], weights[i] ?? 0];
      if (x !== null) [sum, total] = [sum + x * weight, total + weight];
    });
    return total > 0 ? finite(sum / total) : null;
  };
  return { precision: over("precision"), recall: over("recall"), f: over("f") };
}

/** Returns F_β = (1+β²)·tp / (β²·actual + predicted) (van Rijsbergen 1979), precision and recall. */
export function averagedScores(
  [truePositives, predicted, actual]: ClassCount,
  zeroDivision: 0 | 1 | null,
  beta: number,
): Scores {
  const ratio = (a: number, b: number): number | null => (b > 0 ? a / b : zeroDivision);
  const b2 = beta * beta;
  return {
    precision: ratio(truePositives, predicted),
    recall: ratio(truePositives, actual),
    f: ratio((1 + b2) * truePositives, b2 * actual + predicted),
  };
}

function countOf(state: State, label: number): ClassCount {
  return state.classes[label] ?? [0, 0, 0];
}

function sampleCount(predicted: readonly number[], actual: readonly number[]): ClassCount {
  return [predicted.filter((label) => actual.includes(label)).length, predicted.length, actual.length];
}

function addScore(mean: Mean, score: number | null): Mean {
  return score === null ? mean : addToMean(mean, score);
}
