/**
 * Brier score.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric, positiveScore, scoresOf } from "../../blocks/metric/mod.ts";

/** Options of {@link brier}. */
export interface BrierOptions {
  /** Squares for class 1 only, or summed over all classes; `auto`: class 1 if there are two. */
  readonly over: "auto" | "positive" | "classes";
}

/**
 * The mean squared distance between probabilities and outcomes (Brier 1950).
 *
 * @throws AttuneError from `update` if there are no scores.
 * @example
 * ```ts
 * import { brier } from "attune/metrics/brier";
 * const metric = brier();
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1, scores: [0.5, 0.5] });
 * console.assert(metric.compute(state).brier === 0.25);
 * ```
 */
export const brier: Factory<"metric", Partial<BrierOptions>> = define({
  kind: "metric",
  name: "brier",
  schema: v.strictObject({ over: v.optional(v.picklist(["auto", "positive", "classes"]), "auto") }),
  create: ({ over }: BrierOptions) =>
    meanMetric("brier", ["label"], (example) => {
      const scores = scoresOf("brier", example);
      if (over === "positive" || (over === "auto" && scores.length <= 2)) {
        return (positiveScore("brier", example) - (example.reference === 1 ? 1 : 0)) ** 2;
      }
      let sum = 0;
      for (let c = 0; c < scores.length; c++) sum += ((scores[c] ?? 0) - (c === example.reference ? 1 : 0)) ** 2;
      return sum;
    }),
});
