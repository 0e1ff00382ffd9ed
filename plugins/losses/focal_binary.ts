/**
 * Focal loss over independent labels.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { add, constant, mul, sigmoid, softplus, sub } from "../../core/graph/ops/functions.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Factory } from "../../core/types.ts";
import { elementLoss } from "../../blocks/loss/mod.ts";
import { focalFactor } from "./focal.ts";

/** Options of {@link focalBinary}. */
export interface FocalBinaryOptions {
  /** How strongly correct predictions are down-weighted; 0: binary cross entropy. */
  readonly gamma: number;
  /** The weight of positives; negatives have 1 - α. Absent: both have weight 1. */
  readonly alpha?: number | undefined;
}

/**
 * -α(1 - q)^γ ln q, q the probability of what each label is, the mean over rows and labels (Lin et al. 2017).
 *
 * @example
 * ```ts
 * import { focalBinary } from "attune/losses/focal-binary";
 * console.assert(focalBinary({ alpha: 0.25 }).count({ dtype: "float32", dims: [2], data: new Float32Array(2) }) === 2);
 * ```
 */
export const focalBinary: Factory<"loss", Partial<FocalBinaryOptions>> = define({
  kind: "loss",
  name: "focal-binary",
  schema: v.strictObject({
    gamma: v.optional(v.pipe(v.number(), v.minValue(0)), 2),
    alpha: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  }),
  create: ({ gamma, alpha }: FocalBinaryOptions) =>
    elementLoss("mean", (logits, target) => {
      const one = constant(logits, f32([], [1]));
      const negative = sub(one, target);
      const p = sigmoid(logits);
      const right = add(mul(p, target), mul(sub(one, p), negative));
      const each = mul(focalFactor(right, gamma), sub(softplus(logits), mul(logits, target)));
      return alpha === undefined ? each : mul(each, add(mul(target, alpha), mul(negative, 1 - alpha)));
    }),
});
