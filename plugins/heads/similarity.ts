/**
 * Sentence embeddings and how alike the two of a sample are.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { gather, mul, reshape, slice, sum } from "../../core/graph/functions.ts";
import type { Factory, Value } from "../../core/types.ts";
import { pooledStates, unitLength } from "./pooling.ts";

/** Options of {@link similarity}. */
export interface SimilarityOptions {
  /** The mean over a sequence's tokens, or its first token's state. */
  readonly pooling: "mean" | "first";
}

/** Schema of {@link SimilarityOptions}. */
export const similaritySchema: v.GenericSchema<Partial<SimilarityOptions>, SimilarityOptions> = v.strictObject({
  pooling: v.optional(v.picklist(["mean", "first"]), "mean"),
});

/**
 * `similarity` [samples], the cosine between the embeddings u and v of a sample's two sequences (Reimers & Gurevych
 * 2019), and `embedding` [sequences, hidden] of length 1; of the encoder, where there are two sides (Ni et al. 2021).
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
  schema: similaritySchema,
  create: ({ pooling }) => ({
    modulesToSave: [],
    readsEncoder: true,
    forward: (b, states) => {
      const embedding = unitLength(pooledStates(b, states.encoder ?? states.hidden, pooling));
      const members = b.input("members", "int32", ["samples", 2]);
      const of = (column: number): Value =>
        gather(embedding, reshape(slice(members, 1, column, column + 1), ["samples"]));
      return { similarity: sum(mul(of(0), of(1)), -1), embedding };
    },
  }),
});
