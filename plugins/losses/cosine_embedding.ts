/**
 * Cosine loss of pairs of embeddings that should be similar, or dissimilar.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import {
  add,
  constant,
  div,
  greater,
  mul,
  relu,
  reshape,
  slice,
  sqrt,
  sub,
  sum,
  where,
} from "../../core/graph/ops/functions.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Factory } from "../../core/types.ts";
import { valuesOf, weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link cosineEmbedding}. */
export interface CosineEmbeddingOptions {
  /** Dissimilar pairs with a cosine below this have no loss. */
  readonly margin: number;
}

/**
 * 1 - cos(a, b) where the target is 1, max(0, cos(a, b) - margin) where it is -1, the mean over pairs, as torch's
 * CosineEmbeddingLoss. The output is [pairs, 2, size].
 *
 * @example
 * ```ts
 * import { cosineEmbedding } from "attune/losses/cosine-embedding";
 * console.assert(cosineEmbedding().count({ dtype: "int32", dims: [2], data: Int32Array.of(1, -1) }) === 2);
 * ```
 */
export const cosineEmbedding: Factory<"loss", Partial<CosineEmbeddingOptions>> = define({
  kind: "loss",
  name: "cosine-embedding",
  schema: v.strictObject({ margin: v.optional(v.pipe(v.number(), v.minValue(-1), v.maxValue(1)), 0) }),
  create: ({ margin }: CosineEmbeddingOptions) => ({
    over: "batch",
    weighted: true,
    compares: "rows",
    sum: (_, output, target, weight) => {
      const [a, b] = [slice(output, 1, 0, 1), slice(output, 1, 1, 2)];
      // Added to squared lengths as in torch, so that two zero vectors have a cosine of 0.
      const length = sqrt(mul(add(sum(mul(a, a), -1), 1e-12), add(sum(mul(b, b), -1), 1e-12)));
      const cosine = reshape(div(sum(mul(a, b), -1), length), target.shape);
      const one = constant(output, f32([], [1]));
      return weightedSum(where(greater(target, 0), sub(one, cosine), relu(sub(cosine, margin))), weight);
    },
    count: valuesOf,
  }),
});
