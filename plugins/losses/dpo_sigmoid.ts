/**
 * Direct preference optimization.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { add, mul, neg, slice, softplus, sub } from "../../core/graph/ops/functions.ts";
import type { Factory, Value } from "../../core/types.ts";
import { rowsOf, weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link dpoSigmoid}. */
export interface DpoSigmoidOptions {
  /** β: how strongly the policy is kept near the reference. */
  readonly beta: number;
  /** s: the share of preferences that may be reversed (conservative DPO). */
  readonly labelSmoothing: number;
}

/**
 * -(1-s) ln σ(βΔ) - s ln σ(-βΔ), the mean over pairs, where Δ is how much more the policy prefers the chosen answer
 * than the reference does (Rafailov et al. 2023). Output and target are [pairs, 2]: log probabilities of the chosen and
 * the rejected answer under the policy, and under the reference.
 *
 * @example
 * ```ts
 * import { dpoSigmoid } from "attune/losses/dpo-sigmoid";
 * console.assert(dpoSigmoid().count({ dtype: "float32", dims: [3, 2], data: new Float32Array(6) }) === 3);
 * ```
 */
export const dpoSigmoid: Factory<"loss", Partial<DpoSigmoidOptions>> = define({
  kind: "loss",
  name: "dpo-sigmoid",
  schema: v.strictObject({
    beta: v.optional(v.pipe(v.number(), v.gtValue(0)), 0.1),
    labelSmoothing: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(0.5)), 0),
  }),
  create: ({ beta, labelSmoothing: s }: DpoSigmoidOptions) => ({
    over: "batch",
    weighted: true,
    compares: "elements",
    sum: (_, output, target, weight) => {
      const preference = (logps: Value): Value => sub(slice(logps, 1, 0, 1), slice(logps, 1, 1, 2));
      const scaled = mul(sub(preference(output), preference(target)), beta);
      const each = softplus(neg(scaled));
      return weightedSum(s === 0 ? each : add(mul(each, 1 - s), mul(softplus(scaled), s)), weight);
    },
    count: rowsOf,
  }),
});
