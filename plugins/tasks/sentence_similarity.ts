/**
 * The objective of embedding texts so that their cosine is their similarity.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { SentenceModules } from "../../core/files/sentence_modules.ts";
import type { Factory, Json, Named, Tensor } from "../../core/types.ts";
import { sentenceEntries, type SentenceOptions, type SentenceParts, sentenceTask } from "../../blocks/task/mod.ts";

/**
 * `text`, `textPair` and `score`: the squared difference between the score and the cosine of the embeddings, like
 * sentence-transformers' CosineSimilarityLoss. A row without `textPair` is answered with its embedding.
 *
 * @example
 * ```ts
 * import { sentenceSimilarity } from "attune/tasks/sentence-similarity";
 * console.assert(sentenceSimilarity().subtasks[0]?.losses[0]?.output === "similarity");
 * ```
 */
export const sentenceSimilarity: Factory<"task", Partial<SentenceOptions>> = define({
  kind: "task",
  name: "sentence-similarity",
  schema: v.strictObject(sentenceEntries),
  create: (options: SentenceOptions) => ({ subtasks: [sentenceTask(options, partsOf)] }),
});

function partsOf({ columns }: SentenceOptions, { pooling, steps, prompt, lowercase }: SentenceModules): SentenceParts {
  return {
    collator: { use: "sentence-pairs", with: { prompt, lowercase, columns } },
    heads: [{ use: "similarity", with: { pooling, steps, normalize: false } }],
    losses: [{ loss: "mse", output: "similarity", target: "labels" }],
    metrics: ["mse", "spearman"],
    modelClass: "Model",
    evaluationOutputs: ["similarity"],
    decode: ({ similarity }, batch) => ({
      number: Array.from(
        { length: batch.samples },
        (_, i) => ({ prediction: numberOf(similarity, i), reference: numberOf(batch.inputs.labels, i) }),
      ),
    }),
    predict: ({ similarity, embedding }, batch) =>
      Array.from({ length: batch.samples }, (_, i): Named<Json> => {
        const { alone } = batch.metadata?.[i] as Readonly<{ alone: boolean }>;
        if (!alone) return { score: numberOf(similarity, i) };
        const size = embedding?.dims[1] ?? 0;
        const start = numberOf(batch.inputs.members, 2 * i) * size;
        return { embedding: Array.from({ length: size }, (_, k) => numberOf(embedding, start + k)) };
      }),
  };
}

function numberOf(tensor: Tensor | undefined, i: number): number {
  return Number(tensor?.data[i] ?? NaN);
}
