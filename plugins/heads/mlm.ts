/**
 * The masked language modelling head: from states at masked positions to logits over the vocabulary.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { languageOutputs, styleOf } from "../../blocks/head/mod.ts";

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
export const mlm: Factory<"head"> = define({
  kind: "head",
  name: "mlm",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: [],
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "mlm", "mlm", "this family has no masked language head");
      return languageOutputs(b, states, backbone, style);
    },
  }),
});
