/**
 * What transformers calls the class of a model with a task's head.
 * @module
 */
import type { Task, Trunk } from "../../core/types.ts";

/** What stands in front of each family's classes, by model_type. */
const families: Readonly<Record<string, string>> = {
  albert: "Albert",
  bart: "Bart",
  bert: "Bert",
  distilbert: "DistilBert",
  electra: "Electra",
  falcon: "Falcon",
  gemma2: "Gemma2",
  gemma3_text: "Gemma3Text",
  gpt2: "GPT2",
  llama: "Llama",
  mistral: "Mistral",
  modernbert: "ModernBert",
  mt5: "MT5",
  phi: "Phi",
  phi3: "Phi3",
  qwen2: "Qwen2",
  qwen3: "Qwen3",
  roberta: "Roberta",
  t5: "T5",
  xlnet: "XLNet",
};

/** What stands behind, by PEFT's task_type, where a task does not say it. */
const suffixes: Readonly<Record<string, string>> = {
  SEQ_CLS: "ForSequenceClassification",
  TOKEN_CLS: "ForTokenClassification",
  QUESTION_ANS: "ForQuestionAnswering",
  SEQ_2_SEQ_LM: "ForConditionalGeneration",
  CAUSAL_LM: "ForCausalLM",
  FEATURE_EXTRACTION: "Model",
};

/** Classes that are not called by the rule. */
const odd: Readonly<Record<string, string>> = {
  BertForCausalLM: "BertLMHeadModel",
  GPT2ForCausalLM: "GPT2LMHeadModel",
  Gemma3TextForCausalLM: "Gemma3ForCausalLM",
  XLNetForCausalLM: "XLNetLMHeadModel",
  XLNetForQuestionAnswering: "XLNetForQuestionAnsweringSimple",
};

/** Families whose encoder alone is a class of its own. */
const encoders: Readonly<Record<string, string>> = { t5: "T5EncoderModel", mt5: "MT5EncoderModel" };

/** The class of a model with a task's head; undefined where the family or the task has none. */
export function classNameOf(
  { modelType, decoderStart }: Pick<Trunk, "modelType" | "decoderStart">,
  { modelClass, taskType = "" }: Pick<Task, "modelClass" | "taskType">,
): string | undefined {
  const family = families[modelType];
  const suffix = modelClass ?? suffixes[taskType];
  if (family === undefined || suffix === undefined) return undefined;
  if (suffix === "Model" && decoderStart === undefined && encoders[modelType]) return encoders[modelType];
  return odd[`${family}${suffix}`] ?? `${family}${suffix}`;
}
