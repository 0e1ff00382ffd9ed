/**
 * The masked language modelling head: states of masked places to logits over the vocabulary.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { unsupported } from "../../core/base/errors.ts";
import type { Factory } from "../../core/types.ts";
import { languageOutputs } from "../../blocks/head/mod.ts";

/** Options of {@link mlm}: none. */
export type MlmOptions = Readonly<Record<never, never>>;

/** Schema of {@link MlmOptions}. */
export const mlmSchema: v.GenericSchema<MlmOptions, MlmOptions> = v.strictObject({});

/**
 * Logits of masked positions [picked, vocabSize] as the family's ForMaskedLM computes them, or of every position
 * without labels.
 *
 * @example
 * ```ts
 * import { mlm } from "attune/heads/mlm";
 * console.assert(mlm().modulesToSave.length === 0);
 * ```
 */
export const mlm: Factory<"head", MlmOptions> = define({
  kind: "head",
  name: "mlm",
  schema: mlmSchema,
  create: () => ({
    modulesToSave: [],
    forward: (b, states, backbone) => {
      const style = backbone.heads.mlm;
      if (!style) throw unsupported("mlm", "task", backbone.baseModelPrefix, "this family has no masked language head");
      return languageOutputs(b, states, backbone, style);
    },
  }),
});
