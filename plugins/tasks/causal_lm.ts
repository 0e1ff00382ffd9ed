/**
 * The objective of predicting each next token.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, GenerationConfig, MetricInputs, Named, Tensor } from "../../core/types.ts";
import { decodeTexts, generationSchema } from "./generation.ts";

/** Options of {@link causalLm}. */
export interface CausalLmOptions {
  /** Which tokens are learned: every one, those that the assistant says, or those of the completion. */
  readonly lossOn: "all" | "assistant" | "completion";
  /**
   * Whether the tokenizer's end token stands behind each row, and is learned: once, and not where the row is cut. Unless
   * said, behind rows of prompt and completion, and behind no others.
   */
  readonly addEosToken?: boolean;
  /** Which of the assistant's turns are asked for in evaluation: each behind the true turns before it, or the last. */
  readonly evaluateTurns: "all" | "last";
  /** Whether short rows of the training data make rows of `training.maxLength`; none sees another. */
  readonly packing: boolean;
  /** How predictions are generated; what is not said is as the checkpoint has it. */
  readonly generation: Partial<GenerationConfig>;
  /** Where the columns are, where not under their own names. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Schema of {@link CausalLmOptions}. */
export const causalLmSchema: v.GenericSchema<Partial<CausalLmOptions>, CausalLmOptions> = v.strictObject({
  lossOn: v.optional(v.picklist(["all", "assistant", "completion"]), "all"),
  addEosToken: v.optional(v.boolean()),
  evaluateTurns: v.optional(v.picklist(["all", "last"]), "all"),
  packing: v.optional(v.boolean(), false),
  generation: v.optional(generationSchema, {}),
  columns: v.optional(v.record(v.string(), v.string()), {}),
});

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
  schema: causalLmSchema,
  create: ({ lossOn, addEosToken, evaluateTurns, packing, generation, columns }) => ({
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
      decode: (outputs, batch) => tokenReadings(outputs, batch.inputs.labels),
      predict: (outputs, _, tokenizer) => decodeTexts(outputs, tokenizer),
    }],
  }),
});

/** Readings of predicted tokens: each as a class, and their log-likelihood. */
export function tokenReadings(
  { predictions, logProbabilities }: Named<Tensor>,
  labels: Tensor | undefined,
): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] } {
  const label: MetricInputs["label"][] = [];
  let sum = 0;
  for (let i = 0; i < (labels?.data.length ?? 0); i++) {
    const reference = Number(labels?.data[i]);
    if (reference < 0) continue;
    label.push({ prediction: Number(predictions?.data[i]), reference });
    sum -= Number(logProbabilities?.data[i]);
  }
  return { label, loss: [{ sum, count: label.length }] };
}
