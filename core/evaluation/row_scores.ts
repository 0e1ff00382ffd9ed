/**
 * Scores of a sample of rows, which rank slices if no metric is a mean over rows.
 */
import { areOfRows, type RowReadings } from "../loop/rows.ts";
import type { MetricStatistics } from "../statistics/metric_statistics.ts";
import { UNITS } from "../statistics/metric_statistics.ts";
import { createUnitSample, type UnitName } from "../statistics/unit_sample.ts";
import type { MetricInputs } from "../types.ts";
import { examplesByRow } from "./row_statistics.ts";

/** Scores of rows: for each row a sum and the number of its terms, such as the losses of its tokens. */
export type RowScores = Readonly<{
  key: string;
  greaterIsBetter: boolean;
  /** Share of all rows that are in the sample. */
  share: number;
  names: readonly UnitName[];
  sums: ArrayLike<number>;
  counts: ArrayLike<number>;
}>;

/** Collects scores from readings. */
export type ScoreCollector = Readonly<{ add(read: RowReadings): void; end(): RowScores | undefined }>;

type Kind = "loss" | "tags" | "labels" | "label";
type Scorer = Readonly<{
  key: string;
  greaterIsBetter: boolean;
  of(example: MetricInputs[keyof MetricInputs]): readonly [sum: number, count: number];
}>;

/** Scorers by kind of reading, the preferred kind first. */
const scorers: Readonly<Record<Kind, Scorer>> = {
  loss: {
    key: "loss per token",
    greaterIsBetter: false,
    of: (example) => {
      const { sum, count } = example as MetricInputs["loss"];
      return [sum, count];
    },
  },
  tags: {
    key: "share of right tags",
    greaterIsBetter: true,
    of: (example) => {
      const { reference, prediction } = example as MetricInputs["tags"];
      return [reference.filter((tag, i) => tag === prediction[i]).length, reference.length];
    },
  },
  labels: {
    key: "share of rows with exactly the right labels",
    greaterIsBetter: true,
    of: (example) => {
      const [a, b] = [example as MetricInputs["labels"]].flatMap(({ reference, prediction }) =>
        [reference, prediction].map((ids) => [...ids].sort((x, y) => x - y).join())
      );
      return [Number(a === b), 1];
    },
  },
  label: {
    key: "accuracy",
    greaterIsBetter: true,
    of: (example) => {
      const { reference, prediction } = example as MetricInputs["label"];
      return [Number(reference === prediction), 1];
    },
  },
};

/** Creates an empty collector. */
export function collectRowScores(): ScoreCollector {
  const sample = createUnitSample<{ sum: number; count: number }>(UNITS);
  let kind: Kind | undefined;
  return {
    add: (read) => {
      const there = (one: Kind): boolean =>
        (read.readings[one]?.length ?? 0) > 0 && (areOfRows(read, one) || read.places?.[one] !== undefined);
      kind ??= (Object.keys(scorers) as Kind[]).find(there);
      if (!kind || !there(kind)) return;
      for (const [row, , examples] of examplesByRow(read, kind, read.readings[kind] ?? [])) {
        const own = sample.of(row, () => ({ sum: 0, count: 0 }));
        if (!own) continue;
        for (const example of examples) {
          const [sum, count] = scorers[kind].of(example);
          own.sum += sum;
          own.count += count;
        }
      }
    },
    end: () => {
      if (!kind) return undefined;
      const [names, scores] = [[...sample.units.keys()], [...sample.units.values()]];
      const { key, greaterIsBetter } = scorers[kind];
      return {
        ...{ key, greaterIsBetter, names, share: sample.share() },
        sums: Float64Array.from(scores, ({ sum }) => sum),
        counts: Float64Array.from(scores, ({ count }) => count),
      };
    },
  };
}

/**
 * Returns the scores of the first metric that is a mean over rows, otherwise the collected ones. For language models,
 * only text metrics are used, since a mean over tokens is not a mean over rows.
 */
export function scoresFor(statistics: readonly MetricStatistics[], collector: ScoreCollector): RowScores | undefined {
  const collected = collector.end();
  for (const { metric, units } of statistics) {
    if (metric.columns || (collected?.key === scorers.loss.key && !metric.reads.includes("text"))) continue;
    const { names, share, means } = units();
    const [mean] = Object.entries(means);
    if (!mean) continue;
    const [key, { sums, counts }] = mean;
    return { key, greaterIsBetter: metric.greaterIsBetter, share, names, sums, counts };
  }
  return collected;
}
