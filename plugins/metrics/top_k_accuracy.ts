/**
 * Top-k accuracy.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric, referenceScore, scoresOf } from "../../blocks/metric/mod.ts";

/** Options of {@link topKAccuracy}. */
export interface TopKAccuracyOptions {
  /** How many of the highest-scoring classes count. */
  readonly k: number;
}

/**
 * The share of rows whose class is among the `k` with the highest score; with equal scores, the higher class comes
 * first, as in scikit-learn.
 *
 * @throws AttuneError from `update` if there are no scores, or none of the class that is there.
 * @example
 * ```ts
 * import { topKAccuracy } from "attune/metrics/top-k-accuracy";
 * const metric = topKAccuracy({ k: 2 });
 * const state = metric.update(metric.init(), { prediction: 0, reference: 1, scores: [0.5, 0.3, 0.2] });
 * console.assert(metric.compute(state)["top-k-accuracy"] === 1);
 * ```
 */
export const topKAccuracy: Factory<"metric", Partial<TopKAccuracyOptions>> = define({
  kind: "metric",
  name: "top-k-accuracy",
  schema: v.strictObject({ k: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 2) }),
  create: ({ k }: TopKAccuracyOptions) =>
    meanMetric("top-k-accuracy", ["label"], (example) => {
      const scores = scoresOf("top-k-accuracy", example);
      const target = referenceScore("top-k-accuracy", example);
      let before = 0;
      for (let c = 0; c < scores.length; c++) {
        const score = scores[c] ?? 0;
        // If either score is NaN, the other class counts as ranked before.
        if (c !== example.reference && (!(score <= target) || (score === target && c > example.reference))) before++;
      }
      return before < k ? 1 : 0;
    }, { greaterIsBetter: true }),
});
