/**
 * Cohen's kappa.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Readings } from "../../core/types.ts";
import { addToConfusion, type Confusion, emptyConfusion, matrixOf, mergeConfusions } from "./confusion.ts";

/** Options of {@link cohenKappa}. */
export interface CohenKappaOptions {
  /** How much a disagreement weighs by the distance of the classes among those that occur; null: all the same. */
  readonly weights: "linear" | "quadratic" | null;
}

/** Schema of {@link CohenKappaOptions}. */
export const cohenKappaSchema: v.GenericSchema<Partial<CohenKappaOptions>, CohenKappaOptions> = v.strictObject({
  weights: v.optional(v.nullable(v.picklist(["linear", "quadratic"])), null),
});

/**
 * Agreement beyond chance (Cohen 1960, 1968): 1 - Σ w·observed / Σ w·expected.
 *
 * @throws AttuneError from `update` where a class is not a whole number.
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
  schema: cohenKappaSchema,
  create: ({ weights }) => ({
    reads: ["label"],
    greaterIsBetter: true,
    init: emptyConfusion,
    update: (state: Confusion, { prediction, reference }: Readings["label"]) =>
      addToConfusion("cohen-kappa", state, prediction, reference),
    merge: (a: Confusion, b: Confusion) => mergeConfusions(a, b),
    compute: (state: Confusion) => ({ "cohen-kappa": kappa(state, weights) }),
  }),
});

function kappa(state: Confusion, weights: CohenKappaOptions["weights"]): number | null {
  const { labels, counts } = matrixOf(state);
  const actual = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const predicted = labels.map((_, j) => counts.reduce((sum, row) => sum + (row[j] ?? 0), 0));
  let [observed, expected] = [0, 0];
  counts.forEach((row, i) =>
    row.forEach((count, j) => {
      const weight = weights === null ? Number(i !== j) : weights === "linear" ? Math.abs(i - j) : (i - j) ** 2;
      observed += weight * count;
      expected += weight * (actual[i] ?? 0) * (predicted[j] ?? 0) / state.rows;
    })
  );
  return expected > 0 ? 1 - observed / expected : null;
}
