/**
 * The objective of embedding texts so that cosines say how alike they are.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Json, Named, Tensor } from "../../core/types.ts";

/** Options of {@link sentenceSimilarity}. */
export interface SentenceSimilarityOptions {
  /** The mean over a text's tokens, or its first token's state. */
  readonly pooling: "mean" | "first";
  /** Where the columns are, where not under their own names. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Schema of {@link SentenceSimilarityOptions}. */
export const sentenceSimilaritySchema: v.GenericSchema<Partial<SentenceSimilarityOptions>, SentenceSimilarityOptions> =
  v
    .strictObject({
      pooling: v.optional(v.picklist(["mean", "first"]), "mean"),
      columns: v.optional(v.record(v.string(), v.string()), {}),
    });

/**
 * `text`, `textPair` and `score`: the squared difference of the score and of the embeddings' cosine, as
 * sentence-transformers' CosineSimilarityLoss. A row without `textPair` is answered with its embedding.
 *
 * @example
 * ```ts
 * import { sentenceSimilarity } from "attune/objectives/sentence-similarity";
 * console.assert(sentenceSimilarity().tasks[0]?.losses[0]?.output === "similarity");
 * ```
 */
export const sentenceSimilarity: Factory<"objective", Partial<SentenceSimilarityOptions>> = define({
  kind: "objective",
  name: "sentence-similarity",
  schema: sentenceSimilaritySchema,
  create: ({ pooling, columns }) => ({
    tasks: [{
      name: "",
      collator: { use: "sentence-pairs", with: { columns } },
      heads: [{ use: "similarity", with: { pooling } }],
      losses: [{ loss: "mse", output: "similarity", target: "labels" }],
      metrics: ["mse", "spearman"],
      taskType: "FEATURE_EXTRACTION",
      modelClass: "Model",
      reads: ["similarity"],
      decode: ({ similarity }, batch) => ({
        number: Array.from(
          { length: batch.samples },
          (_, i) => ({ prediction: numberOf(similarity, i), reference: numberOf(batch.inputs.labels, i) }),
        ),
      }),
      predict: ({ similarity, embedding }, batch) =>
        Array.from({ length: batch.samples }, (_, i): Named<Json> => {
          const { alone } = batch.about?.[i] as Readonly<{ alone: boolean }>;
          if (!alone) return { score: numberOf(similarity, i) };
          const size = embedding?.dims[1] ?? 0;
          const start = numberOf(batch.inputs.members, 2 * i) * size;
          return { embedding: Array.from({ length: size }, (_, k) => numberOf(embedding, start + k)) };
        }),
    }],
  }),
});

function numberOf(tensor: Tensor | undefined, i: number): number {
  return Number(tensor?.data[i] ?? NaN);
}
