/** What transformers calls the modules of its heads. */

/** Layers that tell the classes of a sequence or of each token, which PEFT trains beside an adapter. */
export const classifierModules: readonly string[] = ["classifier", "score"];

/** Layers that find an answer's start and end. */
export const spanModules: readonly string[] = ["qa_outputs"];

/** The last layers of classifiers, which have a row for each class: the module itself, or a part of it. */
export const classifierOutputs: readonly string[] = [...classifierModules, "out_proj", "logits_proj"];

/** Patterns for the names of language model heads. */
export const wordModules: readonly string[] = ["lm_head", "cls\\."];
