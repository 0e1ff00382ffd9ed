/**
 * The objective of telling tokens in a random order.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { unsupported } from "../../core/errors.ts";
import { most } from "../../core/most.ts";
import type { Factory } from "../../core/types.ts";
import { tokenReadings } from "./causal_lm.ts";

/** Options of {@link permutationLm}. */
export interface PermutationLmOptions {
  /** Length of a span over that of its surroundings. */
  readonly plmProbability: number;
  /** Longest span, in tokens. */
  readonly maxSpanLength: number;
  /** Where the columns are, where not under their own names. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Schema of {@link PermutationLmOptions}. */
export const permutationLmSchema: v.GenericSchema<Partial<PermutationLmOptions>, PermutationLmOptions> = v.strictObject(
  {
    plmProbability: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 1 / 6),
    maxSpanLength: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens)), 5),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  },
);

/**
 * Permutation language modelling (Yang et al. 2019): `text`; the loss is one mean over all told tokens of a step.
 *
 * @example
 * ```ts
 * import { permutationLm } from "attune/tasks/permutation-lm";
 * console.assert(permutationLm().subtasks[0]?.heads[0] === "permutation-lm");
 * ```
 */
export const permutationLm: Factory<"task", Partial<PermutationLmOptions>> = define({
  kind: "task",
  name: "permutation-lm",
  schema: permutationLmSchema,
  create: (options) => ({
    subtasks: [{
      name: "",
      collator: { use: "permutation-lm", with: options },
      heads: ["permutation-lm"],
      losses: [{ loss: { use: "cross-entropy", with: { over: "step" } }, output: "logits", target: "labels" }],
      metrics: ["perplexity", "accuracy"],
      modelClass: "LMHeadModel",
      reads: ["predictions", "logProbabilities"],
      decode: (outputs, batch) => tokenReadings(outputs, batch.inputs.labels),
      predict: () => {
        throw unsupported("permutation-lm", "predict", "permutation-lm", "it tells tokens of texts that it is given");
      },
    }],
  }),
});
