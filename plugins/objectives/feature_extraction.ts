/**
 * Sentence embeddings of a model as it is.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
import { vectors } from "./vectors.ts";

/** Options of {@link featureExtraction}. */
export interface FeatureExtractionOptions {
  /** The mean over a text's tokens, or its first or last token's state. */
  readonly pooling: "mean" | "first" | "last";
  /** Whether vectors have length 1. */
  readonly normalize: boolean;
  /** Where the columns are, where not under their own names. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Partial<FeatureExtractionOptions>;

/** Schema of {@link FeatureExtractionOptions}. */
export const featureExtractionSchema: v.GenericSchema<Input, FeatureExtractionOptions> = v.strictObject({
  pooling: v.optional(v.picklist(["mean", "first", "last"]), "mean"),
  normalize: v.optional(v.boolean(), true),
  columns: v.optional(v.record(v.string(), v.string()), {}),
});

/**
 * `text` → `embedding`, as Sentence-BERT pools it (Reimers & Gurevych 2019). It has no loss and trains nothing.
 *
 * @example
 * ```ts
 * import { featureExtraction } from "attune/objectives/feature-extraction";
 * console.assert(featureExtraction({ pooling: "first" }).tasks[0]?.taskType === "FEATURE_EXTRACTION");
 * ```
 */
export const featureExtraction: Factory<"objective", Input> = define({
  kind: "objective",
  name: "feature-extraction",
  schema: featureExtractionSchema,
  create: ({ pooling, normalize, columns }) => ({
    tasks: [{
      name: "",
      collator: { use: "padding", with: { problemType: "none", columns } },
      heads: [{ use: "embedding", with: { pooling, normalize } }],
      losses: [],
      metrics: [],
      taskType: "FEATURE_EXTRACTION",
      decode: () => ({}),
      predict: vectors,
    }],
  }),
});
