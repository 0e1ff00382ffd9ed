/**
 * Area under the ROC curve.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import {
  addOneVersusRest,
  addToTally,
  averageAreas,
  type CurveOptions,
  emptyTally,
  finite,
  gatherTallies,
  mergeTallies,
  type Point,
  pointsByClass,
  rocArea,
  scoresOf,
  type Tally,
  tallyEntries,
} from "../../blocks/metric/mod.ts";

/** Options of {@link rocAuc}. */
export interface RocAucOptions extends CurveOptions {
  /** With more than two classes: each against the rest, or all pairs of classes (Hand & Till 2001). */
  readonly multiClass: "ovr" | "ovo";
}

/**
 * The probability that a positive row scores higher than a negative one, counting ties as half. Two classes: of class
 * 1. Null if a class has no positive or no negative rows. The state keeps at most 65,536 distinct scores exactly,
 * see `tally.ts`.
 *
 * @throws AttuneError from `update` if there are no scores.
 * @example
 * ```ts
 * import { rocAuc } from "attune/metrics/roc-auc";
 * const metric = rocAuc();
 * let state = metric.init();
 * for (const label of [0, 1]) state = metric.update(state, { prediction: 0, reference: label, scores: [1 - label / 2, label / 2] });
 * console.assert(metric.compute(state)["roc-auc"] === 1);
 * ```
 */
export const rocAuc: Factory<"metric", Partial<RocAucOptions>> = define({
  kind: "metric",
  name: "roc-auc",
  schema: v.strictObject({
    average: v.optional(v.picklist(["macro", "weighted"]), "macro"),
    multiClass: v.optional(v.picklist(["ovr", "ovo"]), "ovr"),
  }),
  create: ({ average, multiClass }: RocAucOptions) => ({
    reads: ["label", "labels"],
    greaterIsBetter: true,
    init: emptyTally,
    update: (state: Tally, example: MetricInputs["label" | "labels"]) => {
      const scores = scoresOf("roc-auc", example);
      if (multiClass === "ovo" && scores.length > 2 && typeof example.reference === "number") {
        for (let c = 0; c < scores.length; c++) addToTally(state, `${c}:${example.reference}`, [scores[c] ?? 0]);
      } else addOneVersusRest("roc-auc", state, example);
      return state;
    },
    merge: (a: Tally, b: Tally) => mergeTallies(a, b),
    gather: (tallies: readonly Tally[], counts: ArrayLike<number>) => gatherTallies(tallies, counts),
    compute: (state: Tally) => ({
      "roc-auc": pairAreas(state, average) ??
        averageAreas([...pointsByClass(onlyRest(state)).values()], rocArea, average),
    }),
  }),
});

function onlyRest(state: Tally): Tally {
  return Object.keys(state.counts).some((key) => key.includes(":")) ? emptyTally() : state;
}

/** Averages the areas of each pair of occurring classes, over their rows, in both directions. */
function pairAreas(state: Tally, average: CurveOptions["average"]): number | null {
  const scored: (readonly [of: number, actual: number, score: number, count: number])[] = [];
  for (const { group, values, count } of tallyEntries(state)) {
    const [c, actual] = group.split(":").map(Number);
    if (c !== undefined && actual !== undefined) scored.push([c, actual, values[0] ?? 0, count]);
  }
  const there = [...new Set(scored.map((s) => s[1]))].sort((a, b) => a - b);
  let [sum, total] = [0, 0];
  for (const [i, a] of there.entries()) {
    for (const b of there.slice(i + 1)) {
      const ways = [areaOf(scored, a, b), areaOf(scored, b, a)] as const;
      const weight = average === "weighted" ? ways[0].rows : 1;
      sum += weight * (ways[0].area + ways[1].area) / 2;
      total += weight;
    }
  }
  return total > 0 ? finite(sum / total) : null;
}

function areaOf(
  scored: readonly (readonly [of: number, actual: number, score: number, count: number])[],
  positive: number,
  negative: number,
): Readonly<{ area: number; rows: number }> {
  const points: Point[] = [];
  let rows = 0;
  for (const [c, actual, score, count] of scored) {
    if (c !== positive || (actual !== positive && actual !== negative)) continue;
    points.push({ score, positive: actual === positive ? count : 0, negative: actual === negative ? count : 0 });
    rows += count;
  }
  points.sort((a, b) => a.score - b.score);
  const merged: Point[] = [];
  for (const point of points) {
    const last = merged.at(-1);
    if (last?.score === point.score) {
      last.positive += point.positive;
      last.negative += point.negative;
    } else merged.push(point);
  }
  return { area: rocArea(merged), rows };
}
