/**
 * Perplexity.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { addToMean, emptyMean, finite, type Mean, meanOf, mergeMeans } from "../../blocks/metric/mod.ts";

/**
 * e to the mean negative log likelihood (in nats) over all tokens.
 *
 * @example
 * ```ts
 * import { perplexity } from "attune/metrics/perplexity";
 * const metric = perplexity();
 * console.assert(metric.compute(metric.update(metric.init(), { sum: 0, count: 5 })).perplexity === 1);
 * ```
 */
export const perplexity: Factory<"metric"> = define({
  kind: "metric",
  name: "perplexity",
  schema: v.strictObject({}),
  create: () => ({
    reads: ["loss"],
    greaterIsBetter: false,
    init: () => emptyMean,
    update: (state: Mean, { sum, count }: MetricInputs["loss"]) => addToMean(state, sum, count),
    merge: (a: Mean, b: Mean) => mergeMeans(a, b),
    compute: (state: Mean) => {
      const mean = meanOf(state);
      return { perplexity: mean === null ? null : finite(Math.exp(mean)) };
    },
  }),
});
