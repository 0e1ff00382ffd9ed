/** Curves over a threshold, whose areas are ROC AUC and average precision. */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import type { MetricInputs } from "../../core/types.ts";
import { finite, type MetricParts } from "./mean.ts";
import { scoresOf } from "./scores.ts";
import { addToTally, emptyTally, gatherTallies, mergeTallies, type Tally, tallyEntries } from "./tally.ts";

/** Options for averaging the areas of several classes. */
export interface CurveOptions {
  /** With more than two classes, or several labels per row: the plain mean, or one weighted by class frequency. */
  readonly average: "macro" | "weighted";
}

/** Schema of {@link CurveOptions}. */
export const curveSchema: v.GenericSchema<Partial<CurveOptions>, CurveOptions> = v.strictObject({
  average: v.optional(v.picklist(["macro", "weighted"]), "macro"),
});

/** All rows with the same score: `positive` of them have the class, `negative` do not. */
export type Point = { readonly score: number; positive: number; negative: number };

/**
 * Returns a metric that is the area under a curve: of class 1 if there are two classes, else averaged over the classes,
 * each against the rest. Equal scores share a point. At most 65,536 distinct scores are kept exactly (see `tally.ts`).
 */
export function curveMetric(
  name: string,
  area: (ascending: readonly Point[]) => number,
  { average }: CurveOptions,
): MetricParts {
  return {
    reads: ["label", "labels"],
    greaterIsBetter: true,
    init: emptyTally,
    update: (state: Tally, example: MetricInputs["label" | "labels"]) => {
      addOneVersusRest(name, state, example);
      return state;
    },
    merge: (a: Tally, b: Tally) => mergeTallies(a, b),
    gather: (tallies: readonly Tally[], counts: ArrayLike<number>) => gatherTallies(tallies, counts),
    compute: (state: Tally) => ({ [name]: averageAreas([...pointsByClass(state).values()], area, average) }),
  };
}

/** Adds an example's scores: to `class/1` if it has the class, else to `class/0`. */
export function addOneVersusRest(plugin: string, state: Tally, example: MetricInputs["label" | "labels"]): void {
  const scores = scoresOf(plugin, example);
  const { reference } = example;
  if (typeof reference === "number" && scores.length <= 2) {
    if (reference !== 0 && reference !== 1) {
      throw badValue(plugin, "reference", reference, "class 0 or 1, because there are scores for two classes");
    }
    addToTally(state, `1/${reference}`, [scores[scores.length - 1] ?? 0]);
    return;
  }
  for (let c = 0; c < scores.length; c++) {
    const there = typeof reference === "number" ? reference === c : reference.includes(c);
    addToTally(state, `${c}/${there ? 1 : 0}`, [scores[c] ?? 0]);
  }
}

/** Returns each class's points in ascending order of score. */
export function pointsByClass(state: Tally): Map<number, Point[]> {
  const classes = new Map<number, Map<number, Point>>();
  for (const { group, values, count } of tallyEntries(state)) {
    const [c = "", there] = group.split("/");
    const score = values[0] ?? 0;
    let points = classes.get(Number(c));
    if (!points) classes.set(Number(c), points = new Map());
    let point = points.get(score);
    if (!point) points.set(score, point = { score, positive: 0, negative: 0 });
    if (there === "1") point.positive += count;
    else point.negative += count;
  }
  return new Map([...classes].map(([c, points]) => [c, [...points.values()].sort((a, b) => a.score - b.score)]));
}

/** Averages areas; null if one is undefined. */
export function averageAreas(
  classes: readonly (readonly Point[])[],
  area: (ascending: readonly Point[]) => number,
  average: CurveOptions["average"],
): number | null {
  let [sum, total] = [0, 0];
  for (const points of classes) {
    if (points.some((p) => Number.isNaN(p.score))) return null;
    const weight = average === "weighted" ? points.reduce((n, p) => n + p.positive, 0) : 1;
    if (weight === 0) continue;
    sum += weight * area(points);
    total += weight;
  }
  return total > 0 ? finite(sum / total) : null;
}

/** Returns the area under the ROC curve: the share of positive-negative pairs in the right order, with ties as half. */
export function rocArea(ascending: readonly Point[]): number {
  let [positives, negatives, ordered] = [0, 0, 0];
  for (const { positive, negative } of ascending) {
    ordered += positive * (negatives + negative / 2);
    positives += positive;
    negatives += negative;
  }
  return ordered / (positives * negatives);
}

/** Yields recall and precision at each threshold, from the highest down. */
export function* precisionRecall(ascending: readonly Point[]): Generator<readonly [recall: number, precision: number]> {
  const positives = ascending.reduce((n, p) => n + p.positive, 0);
  let [right, all] = [0, 0];
  for (const { positive, negative } of ascending.toReversed()) {
    right += positive;
    all += positive + negative;
    yield [right / positives, right / all];
  }
}
