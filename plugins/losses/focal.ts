/**
 * Focal loss over classes.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import {
  cast,
  constant,
  equal,
  exp,
  gather,
  logSoftmax,
  maximum,
  mul,
  neg,
  not,
  pick,
  pow,
  sub,
} from "../../core/graph/ops/functions.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Factory, Value } from "../../core/types.ts";
import { weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link focal}. */
export interface FocalOptions {
  /** How strongly correct predictions are down-weighted; 0: cross entropy. */
  readonly gamma: number;
  /** The weight of each class; the divisor does not include it. */
  readonly alpha?: readonly number[] | undefined;
  /** Targets with this value are left out of the sum and the count. */
  readonly ignoreIndex: number;
}

/**
 * -α(1 - p)^γ ln p of the target's probability p, the mean over targets (Lin et al. 2017).
 *
 * @example
 * ```ts
 * import { focal } from "attune/losses/focal";
 * console.assert(focal({ gamma: 1, alpha: [0.25, 0.75] }).over === "batch");
 * ```
 */
export const focal: Factory<"loss", Partial<FocalOptions>> = define({
  kind: "loss",
  name: "focal",
  schema: v.strictObject({
    gamma: v.optional(v.pipe(v.number(), v.minValue(0)), 2),
    alpha: v.optional(v.array(v.pipe(v.number(), v.minValue(0)))),
    ignoreIndex: v.optional(v.pipe(v.number(), v.integer()), -100),
  }),
  create: ({ gamma, alpha, ignoreIndex }: FocalOptions) => ({
    over: "batch",
    weighted: true,
    compares: "classes",
    perClass: { alpha },
    sum: (_, logits, target, rowWeight) => {
      const classes = maximum(target, 0);
      const logp = pick(logSoftmax(logits), classes);
      const counts = cast(not(equal(target, ignoreIndex)), "float32");
      const weight = alpha ? mul(counts, gather(constant(logits, f32([alpha.length], alpha)), classes)) : counts;
      return weightedSum(mul(mul(focalFactor(exp(logp), gamma), neg(logp)), weight), rowWeight);
    },
    count: ({ data }, weight) => {
      let count = 0;
      data.forEach((id: number | bigint, i: number) => {
        if (Number(id) !== ignoreIndex) count += Number(weight?.data[i] ?? 1);
      });
      return count;
    },
  }),
});

/** Returns (1 - p)^γ, bounded away from zero, where the slope of a root is infinite. */
export function focalFactor(p: Value, gamma: number): Value {
  const one = constant(p, f32([], [1]));
  return pow(maximum(sub(one, p), 1e-12), gamma);
}
