/**
 * The objective of predicting tokens in a random order.
 * @module
 */
import { type PermutedTextOptions, permutedTextSchema } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { unsupported } from "../../core/base/errors.ts";
import type { Factory } from "../../core/types.ts";
import { tokenPlaces, tokenReadings } from "../../blocks/task/mod.ts";

/**
 * Permutation language modelling (Yang et al. 2019): `text`; the loss is one mean over all predicted tokens of a step.
 *
 * @example
 * ```ts
 * import { permutationLm } from "attune/tasks/permutation-lm";
 * console.assert(permutationLm().subtasks[0]?.heads[0] === "permutation-lm");
 * ```
 */
export const permutationLm: Factory<"task", Partial<PermutedTextOptions>> = define({
  kind: "task",
  name: "permutation-lm",
  schema: permutedTextSchema,
  create: (options) => ({
    subtasks: [{
      name: "",
      collator: { use: "permutation-lm", with: options },
      heads: ["permutation-lm"],
      losses: [{ loss: { use: "cross-entropy", with: { over: "step" } }, output: "logits", target: "labels" }],
      metrics: ["perplexity", "accuracy"],
      modelClass: "LMHeadModel",
      reads: ["predictions", "logProbabilities"],
      decode: tokenReadings,
      placesOf: tokenPlaces,
      predict: () => {
        throw unsupported("permutation-lm", "predict", "permutation-lm", "it predicts tokens of given texts only");
      },
    }],
  }),
});
