/**
 * Sentence embeddings of a model, without training.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { SentenceModules } from "../../core/files/sentence_modules.ts";
import type { Factory } from "../../core/types.ts";
import {
  sentenceEntries,
  type SentenceOptions,
  type SentenceParts,
  sentenceTask,
  vectorRows,
} from "../../blocks/task/mod.ts";

type Input = Partial<SentenceOptions>;

/**
 * `text` → `embedding`, as in sentence-transformers (Reimers & Gurevych 2019), with the modules, prompt and length of
 * the checkpoint's folder unless the options say otherwise. It has no loss and trains nothing.
 *
 * @example
 * ```ts
 * import { featureExtraction } from "attune/tasks/feature-extraction";
 * console.assert(featureExtraction({ pooling: "first" }).subtasks[0]?.taskType === "FEATURE_EXTRACTION");
 * ```
 */
export const featureExtraction: Factory<"task", Input> = define({
  kind: "task",
  name: "feature-extraction",
  schema: v.strictObject(sentenceEntries),
  create: (options: SentenceOptions) => ({ subtasks: [sentenceTask(options, partsOf)] }),
});

function partsOf({ columns }: SentenceOptions, { pooling, steps, prompt, lowercase }: SentenceModules): SentenceParts {
  return {
    collator: { use: "padding", with: { problemType: "none", prompt, lowercase, columns } },
    heads: [{ use: "embedding", with: { pooling, steps, normalize: false } }],
    losses: [],
    metrics: [],
    decode: () => ({}),
    predict: vectorRows,
  };
}
