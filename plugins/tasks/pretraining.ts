/**
 * BERT's own objective: masked tokens and next sentences.
 * @module
 */
import { type MaskedTextOptions, maskedTextSchema } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Json, Named, Tensor } from "../../core/types.ts";
import { tokenPlaces, tokenReadings } from "../../blocks/task/mod.ts";

/**
 * Masked language modelling and next sentence prediction (Devlin et al. 2019), or for ALBERT the order of two sentences
 * (Lan et al. 2020): `sentences`; the means of both are added.
 *
 * @example
 * ```ts
 * import { pretraining } from "attune/tasks/pretraining";
 * console.assert(pretraining().subtasks[0]?.losses.length === 2);
 * ```
 */
export const pretraining: Factory<"task", Partial<MaskedTextOptions>> = define({
  kind: "task",
  name: "pretraining",
  schema: maskedTextSchema,
  create: (options) => ({
    subtasks: [{
      name: "",
      collator: { use: "pretraining", with: options },
      heads: ["mlm", "next-sentence"],
      losses: [
        { loss: "cross-entropy", output: "logits", target: "labels" },
        { loss: "cross-entropy", output: "seqRelationshipLogits", target: "next_sentence_label" },
      ],
      metrics: ["perplexity", "accuracy"],
      modelClass: "ForPreTraining",
      reads: ["predictions", "logProbabilities"],
      decode: tokenReadings,
      placesOf: tokenPlaces,
      predict: (outputs) => relations(outputs),
    }],
  }),
});

/** Returns the probability that each second sentence follows its first. */
function relations({ seqRelationshipLogits: logits }: Named<Tensor>): readonly Named<Json>[] {
  return Array.from({ length: logits?.dims[0] ?? 0 }, (_, i) => {
    const [follows = 0, not = 0] = [Number(logits?.data[2 * i]), Number(logits?.data[2 * i + 1])];
    const score = 1 / (1 + Math.exp(not - follows));
    return { label: score > 0.5 ? "follows" : "does not follow", score: Math.max(score, 1 - score) };
  });
}
