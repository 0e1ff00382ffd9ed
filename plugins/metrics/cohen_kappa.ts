/**
 * Cohen's kappa.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { addToConfusion, cellsOf, type Confusion, emptyConfusion, mergeConfusions } from "../../blocks/metric/mod.ts";

/** Options of {@link cohenKappa}. */
export interface CohenKappaOptions {
  /** How disagreements are weighted by the distance between classes; null: all equally. */
  readonly weights: "linear" | "quadratic" | null;
}

/**
 * Agreement beyond chance (Cohen 1960, 1968): 1 - Σ w·observed / Σ w·expected.
 *
 * @throws AttuneError from `update` if a class is not a whole number.
 * @example
 * ```ts
 * import { cohenKappa } from "attune/metrics/cohen-kappa";
 * const metric = cohenKappa();
 * let state = metric.init();
 * for (const label of [0, 1]) state = metric.update(state, { prediction: label, reference: label });
 * console.assert(metric.compute(state)["cohen-kappa"] === 1);
 * ```
 */
export const cohenKappa: Factory<"metric", Partial<CohenKappaOptions>> = define({
  kind: "metric",
  name: "cohen-kappa",
  schema: v.strictObject({ weights: v.optional(v.nullable(v.picklist(["linear", "quadratic"])), null) }),
  create: ({ weights }: CohenKappaOptions) => ({
    reads: ["label"],
    greaterIsBetter: true,
    init: emptyConfusion,
    update: (state: Confusion, { prediction, reference }: MetricInputs["label"]) =>
      addToConfusion("cohen-kappa", state, prediction, reference),
    merge: (a: Confusion, b: Confusion) => mergeConfusions(a, b),
    compute: (state: Confusion) => ({ "cohen-kappa": kappa(state, weights) }),
  }),
});

/** Sums over occurring cells and over classes, never over all pairs of classes, which may be very many. */
function kappa(state: Confusion, weights: CohenKappaOptions["weights"]): number | null {
  const cells = cellsOf(state);
  const labels = [...new Set(cells.flatMap(({ reference, prediction }) => [reference, prediction]))].sort((a, b) =>
    a - b
  );
  const placeOf = new Map(labels.map((label, i) => [label, i]));
  const [actual, predicted] = [new Float64Array(labels.length), new Float64Array(labels.length)];
  let observed = 0;
  for (const { reference, prediction, count } of cells) {
    const [i, j] = [placeOf.get(reference) ?? 0, placeOf.get(prediction) ?? 0];
    actual[i] = (actual[i] ?? 0) + count;
    predicted[j] = (predicted[j] ?? 0) + count;
    observed += count * (weights === null ? Number(i !== j) : weights === "linear" ? Math.abs(i - j) : (i - j) ** 2);
  }
  const expected = expectedBy(weights, actual, predicted, state.rows) / state.rows;
  return expected > 0 ? 1 - observed / expected : null;
}

/** Returns the sum of weight × actual × predicted over all pairs of classes. */
function expectedBy(
  weights: CohenKappaOptions["weights"],
  actual: Float64Array,
  predicted: Float64Array,
  rows: number,
): number {
  let sum = 0;
  if (weights === null) {
    actual.forEach((n, i) => (sum += n * (predicted[i] ?? 0)));
    return rows * rows - sum;
  }
  if (weights === "linear") {
    // |i - j| is the number of borders between i and j, so sums over borders of what is on either side.
    let [left, leftToo] = [0, 0];
    for (let i = 0; i < actual.length; i++) {
      left += actual[i] ?? 0;
      leftToo += predicted[i] ?? 0;
      sum += left * (rows - leftToo) + (rows - left) * leftToo;
    }
    return sum;
  }
  const moment = (of: Float64Array, power: number): number => of.reduce((n, x, i) => n + x * i ** power, 0);
  return rows * (moment(actual, 2) + moment(predicted, 2)) - 2 * moment(actual, 1) * moment(predicted, 1);
}
