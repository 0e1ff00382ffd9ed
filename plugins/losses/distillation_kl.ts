/**
 * Kullback-Leibler divergence from a teacher's logits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { exp, logSoftmax, mul } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { divergence } from "./kl_div.ts";
import { rowsOf, weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link distillationKl}. */
export interface DistillationKlOptions {
  /** T: what both sides' logits are divided by. */
  readonly temperature: number;
}

/**
 * T² Σ t (ln t - ln p) with p = softmax(logits / T) and t = softmax(target / T), the mean over rows (Hinton et al. 2015).
 *
 * @example
 * ```ts
 * import { distillationKl } from "attune/losses/distillation-kl";
 * console.assert(distillationKl().count({ dtype: "float32", dims: [4, 3], data: new Float32Array(12) }) === 4);
 * ```
 */
export const distillationKl: Factory<"loss", Partial<DistillationKlOptions>> = define({
  kind: "loss",
  name: "distillation-kl",
  schema: v.strictObject({ temperature: v.optional(v.pipe(v.number(), v.gtValue(0)), 2) }),
  create: ({ temperature }: DistillationKlOptions) => ({
    over: "batch",
    weighted: true,
    compares: "elements",
    sum: (_, logits, target, weight) => {
      const logt = logSoftmax(mul(target, 1 / temperature));
      const logp = logSoftmax(mul(logits, 1 / temperature));
      return mul(weightedSum(divergence(exp(logt), logt, logp), weight), temperature ** 2);
    },
    count: rowsOf,
  }),
});
