/** Names of the modules of transformers' heads. */

/** Layers that classify a sequence or each token, which PEFT trains along with an adapter. */
export const classifierModules: readonly string[] = ["classifier", "score"];

/** Layers that predict an answer's start and end. */
export const spanModules: readonly string[] = ["qa_outputs"];

/** Last layers of classifiers, which have a row for each class: the classifier itself, or a part of it. */
export const classifierOutputs: readonly string[] = [...classifierModules, "out_proj", "logits_proj"];

/** Patterns for the names of language model heads. */
export const wordModules: readonly string[] = ["lm_head", "cls\\."];
