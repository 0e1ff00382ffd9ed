/**
 * Sentence embeddings: one vector of length 1 per sequence.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Factory } from "../../core/types.ts";
import {
  embeddingEntries,
  type EmbeddingSteps,
  isUnshareable,
  sentenceEmbedding,
  unitLength,
} from "../../blocks/head/mod.ts";

/** Options of {@link embedding}. */
export interface EmbeddingOptions extends EmbeddingSteps {
  /** Whether to normalize vectors to length 1 at the end. */
  readonly normalize: boolean;
  /** Width of a linear layer after pooling, for vectors of another size. */
  readonly projection?: number | undefined;
}

/**
 * `embedding` [sequences, hidden], pooled as in Sentence-BERT (Reimers & Gurevych 2019); of the encoder, in
 * encoder-decoder models (Ni et al. 2021).
 *
 * @example
 * ```ts
 * import { embedding } from "attune/heads/embedding";
 * console.assert(embedding({ pooling: "mean" }).modulesToSave.length === 0);
 * ```
 */
export const embedding: Factory<"head", Partial<EmbeddingOptions>> = define({
  kind: "head",
  name: "embedding",
  schema: v.strictObject({
    ...embeddingEntries,
    normalize: v.optional(v.boolean(), true),
    projection: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.width))),
  }),
  create: ({ pooling, steps, normalize, projection }: EmbeddingOptions) => ({
    modulesToSave: projection === undefined ? [] : ["embedding_projection"],
    readsEncoder: true,
    unshareable: isUnshareable(pooling),
    forward: (b, states) => {
      let x = sentenceEmbedding(b, states, { pooling, steps });
      if (projection !== undefined) x = b.linear("embedding_projection", x, { outFeatures: projection });
      return { embedding: normalize ? unitLength(x) : x };
    },
  }),
});
