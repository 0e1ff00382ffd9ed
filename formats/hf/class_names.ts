/** Names of transformers' classes for a model with a task's head. */
import type { InspectedBackbone, Subtask } from "../../core/types.ts";

/** Suffixes of class names by PEFT's task_type, for tasks that do not name one. */
const suffixes: Readonly<Record<string, string>> = {
  SEQ_CLS: "ForSequenceClassification",
  TOKEN_CLS: "ForTokenClassification",
  QUESTION_ANS: "ForQuestionAnswering",
  SEQ_2_SEQ_LM: "ForConditionalGeneration",
  CAUSAL_LM: "ForCausalLM",
  FEATURE_EXTRACTION: "Model",
};

/** Returns transformers' class name for a model with a task's head; undefined if the task has none. */
export function classNameOf(
  { family: { classPrefix, classes = {} }, decoderStartTokenId: decoderStart }: Pick<
    InspectedBackbone,
    "family" | "decoderStartTokenId"
  >,
  { modelClass, taskType = "" }: Pick<Subtask, "modelClass" | "taskType">,
): string | undefined {
  const suffix = modelClass ?? suffixes[taskType];
  if (suffix === undefined) return undefined;
  // The encoder of an encoder-decoder model may have its own class.
  if (suffix === "Model" && decoderStart === undefined && classes.EncoderModel) return classes.EncoderModel;
  return classes[suffix] ?? `${classPrefix}${suffix}`;
}
