/**
 * Sentence embeddings, and the similarity of the two in a sample.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { gather, mul, reshape, slice, sum } from "../../core/graph/ops/functions.ts";
import type { Factory, Value } from "../../core/types.ts";
import {
  embeddingEntries,
  type EmbeddingSteps,
  isUnshareable,
  sentenceEmbedding,
  unitLength,
} from "../../blocks/head/mod.ts";

/** Options of {@link similarity}. */
export interface SimilarityOptions extends EmbeddingSteps {
  /** Whether to normalize `embedding` to length 1 at the end. */
  readonly normalize: boolean;
}

/**
 * `similarity` [samples], the cosine between the embeddings u and v of a sample's two sequences (Reimers & Gurevych
 * 2019), and `embedding` [sequences, size]; of the encoder, in encoder-decoder models (Ni et al. 2021).
 *
 * @example
 * ```ts
 * import { similarity } from "attune/heads/similarity";
 * console.assert(similarity().modulesToSave.length === 0);
 * ```
 */
export const similarity: Factory<"head", Partial<SimilarityOptions>> = define({
  kind: "head",
  name: "similarity",
  schema: v.strictObject({
    ...embeddingEntries,
    normalize: v.optional(v.boolean(), true),
  }),
  create: ({ pooling, steps, normalize }: SimilarityOptions) => ({
    modulesToSave: [],
    readsEncoder: true,
    unshareable: isUnshareable(pooling),
    forward: (b, states) => {
      const raw = sentenceEmbedding(b, states, { pooling, steps });
      const unit = unitLength(raw);
      const members = b.input("members", "int32", ["samples", 2]);
      const of = (column: number): Value => gather(unit, reshape(slice(members, 1, column, column + 1), ["samples"]));
      return { similarity: sum(mul(of(0), of(1)), -1), embedding: normalize ? unit : raw };
    },
  }),
});
