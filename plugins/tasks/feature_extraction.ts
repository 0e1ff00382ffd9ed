/**
 * Sentence embeddings of a model as it is.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { SentenceModules } from "../../core/files/sentence_modules.ts";
import type { Factory, Subtask } from "../../core/types.ts";
import { modulesOf, sentenceEntries, type SentenceOptions } from "./sentences.ts";
import { vectorRows } from "./vectors.ts";

/** Options of {@link featureExtraction}. */
export interface FeatureExtractionOptions extends SentenceOptions {
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Partial<FeatureExtractionOptions>;

/** Schema of {@link FeatureExtractionOptions}. */
export const featureExtractionSchema: v.GenericSchema<Input, FeatureExtractionOptions> = v.strictObject({
  ...sentenceEntries,
  columns: v.optional(v.record(v.string(), v.string()), {}),
});

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
  schema: featureExtractionSchema,
  create: (options) => ({ subtasks: [taskOf(options, undefined)] }),
});

function taskOf(options: FeatureExtractionOptions, known: SentenceModules | undefined): Subtask {
  const modules = modulesOf(options, known);
  const { pooling, steps, prompt, lowercase } = modules;
  return {
    name: "",
    asksModules: true,
    withConfig: (context) => taskOf(options, context.modules),
    modules,
    collator: { use: "padding", with: { problemType: "none", prompt, lowercase, columns: options.columns } },
    heads: [{ use: "embedding", with: { pooling, steps, normalize: false } }],
    losses: [],
    metrics: [],
    taskType: "FEATURE_EXTRACTION",
    decode: () => ({}),
    predict: vectorRows,
  };
}
