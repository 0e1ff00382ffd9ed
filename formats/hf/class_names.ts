/** What transformers calls the class of a model with a task's head. */
import type { InspectedBackbone, Subtask } from "../../core/types.ts";

/** What stands behind, by PEFT's task_type, where a task does not say it. */
const suffixes: Readonly<Record<string, string>> = {
  SEQ_CLS: "ForSequenceClassification",
  TOKEN_CLS: "ForTokenClassification",
  QUESTION_ANS: "ForQuestionAnswering",
  SEQ_2_SEQ_LM: "ForConditionalGeneration",
  CAUSAL_LM: "ForCausalLM",
  FEATURE_EXTRACTION: "Model",
};

/** The class of a model with a task's head; undefined if the task has none. */
export function classNameOf(
  { family: { classPrefix, classes = {} }, decoderStartTokenId: decoderStart }: Pick<
    InspectedBackbone,
    "family" | "decoderStartTokenId"
  >,
  { modelClass, taskType = "" }: Pick<Subtask, "modelClass" | "taskType">,
): string | undefined {
  const suffix = modelClass ?? suffixes[taskType];
  if (suffix === undefined) return undefined;
  // The encoder of a model with two sides may have a class of its own.
  if (suffix === "Model" && decoderStart === undefined && classes.EncoderModel) return classes.EncoderModel;
  return classes[suffix] ?? `${classPrefix}${suffix}`;
}
