/**
 * The objective of predicting each next token.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, GenerationConfig } from "../../core/types.ts";
import { decodeTexts, generationSchema, tokenPlaces, tokenReadings } from "../../blocks/task/mod.ts";

/** Options of {@link causalLm}. */
export interface CausalLmOptions {
  /** Which tokens are learned: all, those of the assistant, or those of the completion. */
  readonly lossOn: "all" | "assistant" | "completion";
  /**
   * Whether the tokenizer's end token is appended to each row and learned, unless the row is cut or ends with it
   * already. By default, only to rows with prompt and completion.
   */
  readonly addEosToken?: boolean;
  /**
   * Which of the assistant's turns are generated in evaluation: all, each after the true turns before it, or only the
   * last.
   */
  readonly evaluateTurns: "all" | "last";
  /** Whether short training rows are packed into rows of `training.maxLength`; they do not see each other. */
  readonly packing: boolean;
  /** How predictions are generated; options left out are those of the checkpoint. */
  readonly generation: Partial<GenerationConfig>;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * Causal language modelling: `text`, `messages`, or `prompt` and `completion`. The loss is one mean over all predicted
 * tokens of a step.
 *
 * @example
 * ```ts
 * import { causalLm } from "attune/tasks/causal-lm";
 * console.assert(causalLm({ lossOn: "assistant" }).subtasks[0]?.taskType === "CAUSAL_LM");
 * ```
 */
export const causalLm: Factory<"task", Partial<CausalLmOptions>> = define({
  kind: "task",
  name: "causal-lm",
  schema: v.strictObject({
    lossOn: v.optional(v.picklist(["all", "assistant", "completion"]), "all"),
    addEosToken: v.optional(v.boolean()),
    evaluateTurns: v.optional(v.picklist(["all", "last"]), "all"),
    packing: v.optional(v.boolean(), false),
    generation: v.optional(generationSchema, {}),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: ({ lossOn, addEosToken, evaluateTurns, packing, generation, columns }: CausalLmOptions) => ({
    subtasks: [{
      name: "",
      collator: {
        use: "causal-lm",
        with: { lossOn, ...(addEosToken === undefined ? {} : { addEosToken }), evaluateTurns, columns },
      },
      heads: ["lm"],
      losses: [{ loss: { use: "cross-entropy", with: { over: "step" } }, output: "logits", target: "labels" }],
      metrics: ["perplexity", "accuracy"],
      packing,
      generate: generation,
      taskType: "CAUSAL_LM",
      reads: ["predictions", "logProbabilities"],
      decode: tokenReadings,
      placesOf: tokenPlaces,
      predict: (outputs, _, tokenizer) => decodeTexts(outputs, tokenizer),
    }],
  }),
});
