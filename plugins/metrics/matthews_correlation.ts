/**
 * Matthews' correlation coefficient.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { type ClassCounts, countRow, emptyCounts, mergeCounts } from "../../blocks/metric/mod.ts";

/**
 * Matthews' correlation coefficient over any number of classes (Gorodkin 2004): from -1 to 1, and 0 if either side has
 * only one class. (c·n - Σ pₖtₖ) / √((n² - Σ pₖ²)(n² - Σ tₖ²)) for c correct rows of n, with pₖ predictions and tₖ
 * references of class k.
 *
 * @throws AttuneError from `update` if a class is not a whole number.
 * @example
 * ```ts
 * import { matthewsCorrelation } from "attune/metrics/matthews-correlation";
 * const metric = matthewsCorrelation();
 * let state = metric.init();
 * for (const label of [0, 1]) state = metric.update(state, { prediction: label, reference: label });
 * console.assert(metric.compute(state)["matthews-correlation"] === 1);
 * ```
 */
export const matthewsCorrelation: Factory<"metric"> = define({
  kind: "metric",
  name: "matthews-correlation",
  schema: v.strictObject({}),
  create: () => ({
    reads: ["label"],
    greaterIsBetter: true,
    init: emptyCounts,
    update: (state: ClassCounts, { prediction, reference }: MetricInputs["label"]) =>
      countRow("matthews-correlation", state, prediction, reference),
    merge: (a: ClassCounts, b: ClassCounts) => mergeCounts(a, b),
    compute: (state: ClassCounts) => ({ "matthews-correlation": coefficient(state) }),
  }),
});

function coefficient({ rows, correct, classes }: ClassCounts): number | null {
  if (rows === 0) return null;
  let [both, predictedSquares, actualSquares] = [0, 0, 0];
  for (const [, predicted, actual] of Object.values(classes)) {
    both += predicted * actual;
    predictedSquares += predicted * predicted;
    actualSquares += actual * actual;
  }
  const below = (rows * rows - predictedSquares) * (rows * rows - actualSquares);
  return below > 0 ? (correct * rows - both) / Math.sqrt(below) : 0;
}
