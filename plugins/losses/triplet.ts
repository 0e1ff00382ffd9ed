/**
 * Triplet loss: embeddings nearer to similar items than to dissimilar ones.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import {
  abs,
  add,
  minimum,
  mul,
  pow,
  relu,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  sum,
} from "../../core/graph/ops/functions.ts";
import type { Factory, Value } from "../../core/types.ts";
import { weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link triplet}. */
export interface TripletOptions {
  /** How much nearer the positive must be than the negative. */
  readonly margin: number;
  /** The norm of a distance: (Σ |d|^p)^(1/p). */
  readonly p: number;
  /** Takes the negative's distance to anchor or positive, whichever is smaller (Balntas et al. 2016). */
  readonly swap: boolean;
}

/**
 * max(0, |a - p| - |a - n| + margin), the mean over triplets, as torch's TripletMarginLoss (Schroff et al. 2015). The
 * output is [triplets, 3, size]: anchor, positive, negative; the target is each triplet's weight, mostly 1.
 *
 * @example
 * ```ts
 * import { triplet } from "attune/losses/triplet";
 * console.assert(triplet().count({ dtype: "float32", dims: [2], data: Float32Array.of(1, 0.5) }) === 1.5);
 * ```
 */
export const triplet: Factory<"loss", Partial<TripletOptions>> = define({
  kind: "loss",
  name: "triplet",
  schema: v.strictObject({
    margin: v.optional(v.pipe(v.number(), v.gtValue(0)), 1),
    p: v.optional(v.pipe(v.number(), v.minValue(1)), 2),
    swap: v.optional(v.boolean(), false),
  }),
  create: ({ margin, p, swap }: TripletOptions) => ({
    over: "batch",
    weighted: true,
    compares: "rows",
    sum: (_, output, target, weight) => {
      const [a, pos, neg] = [0, 1, 2].map((i) => slice(output, 1, i, i + 1)) as [Value, Value, Value];
      const far = swap ? minimum(distance(a, neg, p), distance(pos, neg, p)) : distance(a, neg, p);
      const each = relu(add(sub(distance(a, pos, p), far), margin));
      return weightedSum(mul(reshape(each, target.shape), target), weight);
    },
    count: ({ data }, weight) => {
      let total = 0;
      data.forEach((own: number | bigint, i: number) => (total += Number(own) * Number(weight?.data[i] ?? 1)));
      return total;
    },
  }),
});

// torch adds 1e-6 to each difference, so that equal vectors have a gradient.
function distance(a: Value, b: Value, p: number): Value {
  const d = add(sub(a, b), 1e-6);
  if (p === 1) return sum(abs(d), -1);
  if (p === 2) return sqrt(sum(square(d), -1));
  return pow(sum(pow(abs(d), p), -1), 1 / p);
}
