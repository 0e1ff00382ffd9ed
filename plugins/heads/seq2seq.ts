/**
 * The head of encoder-decoder language models: the decoder's states to logits over the vocabulary.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { unsupported } from "../../core/base/errors.ts";
import type { Factory } from "../../core/types.ts";
import { languageOutputs } from "../../blocks/head/mod.ts";

/** No options: the family knows its head. */
export type Seq2seqOptions = Readonly<Record<never, never>>;

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
export const seq2seq: Factory<"head", Seq2seqOptions> = define({
  kind: "head",
  name: "seq2seq",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: [],
    forward: (b, states, backbone) => {
      const style = backbone.heads.seq2seq;
      if (!style) {
        throw unsupported("seq2seq", "task", backbone.baseModelPrefix, "this family is no encoder-decoder");
      }
      return languageOutputs(b, states, backbone, style);
    },
  }),
});
