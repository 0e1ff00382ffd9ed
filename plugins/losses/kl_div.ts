/**
 * Kullback-Leibler divergence from probabilities.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { greater, log, logSoftmax, maximum, mul, sub, where } from "../../core/graph/ops/functions.ts";
import type { Factory, Value } from "../../core/types.ts";
import { countFor, rowsOf, valuesOf, weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link klDiv}. */
export interface KlDivOptions {
  /**
   * Divided by the number of rows, which is mathematically correct; by all elements, torch's default; or not at all.
   */
  readonly reduction: "batchmean" | "mean" | "sum";
}

/**
 * Σ t (ln t - ln p), p = softmax(logits), t the probabilities that are the target.
 *
 * @example
 * ```ts
 * import { klDiv } from "attune/losses/kl-div";
 * console.assert(klDiv().count({ dtype: "float32", dims: [2, 3], data: new Float32Array(6) }) === 2);
 * ```
 */
export const klDiv: Factory<"loss", Partial<KlDivOptions>> = define({
  kind: "loss",
  name: "kl-div",
  schema: v.strictObject({ reduction: v.optional(v.picklist(["batchmean", "mean", "sum"]), "batchmean") }),
  create: ({ reduction }: KlDivOptions) => ({
    over: "batch",
    weighted: true,
    compares: "elements",
    sum: (_, logits, target, weight) => weightedSum(divergence(target, logSafe(target), logSoftmax(logits)), weight),
    count: countFor(reduction, reduction === "mean" ? valuesOf : rowsOf),
  }),
});

/** Returns t (ln t - ln p) of every value. */
export function divergence(t: Value, logt: Value, logp: Value): Value {
  return mul(t, sub(logt, logp));
}

// Returns ln t, with a finite value at 0, so that 0 ln 0 is 0.
function logSafe(t: Value): Value {
  return where(greater(t, 0), log(maximum(t, 1.2e-38)), 0);
}
