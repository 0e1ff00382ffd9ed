/**
 * The head of encoder-decoder language models: from the decoder's states to logits over the vocabulary.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { languageOutputs, styleOf } from "../../blocks/head/mod.ts";

/**
 * Logits as the family's ForConditionalGeneration computes them: for the positions with labels, or without labels for
 * every position of the decoder. Beside them what `lm` gives.
 *
 * @example
 * ```ts
 * import { seq2seq } from "attune/heads/seq2seq";
 * console.assert(seq2seq().modulesToSave.length === 0);
 * ```
 */
export const seq2seq: Factory<"head"> = define({
  kind: "head",
  name: "seq2seq",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: [],
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "seq2seq", "seq2seq", "this family is no encoder-decoder");
      return languageOutputs(b, states, backbone, style);
    },
  }),
});
