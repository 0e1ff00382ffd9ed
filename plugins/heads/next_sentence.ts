/**
 * BERT's and ALBERT's heads for pairs of sentences: does the second follow the first.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { applyStyle, styleOf } from "../../blocks/head/mod.ts";

/**
 * `seqRelationshipLogits` [sequences, 2]: class 0 follows, class 1 does not: for BERT it is from another document
 * (Devlin et al. 2019), for ALBERT the order is reversed (Lan et al. 2020).
 *
 * @example
 * ```ts
 * import { nextSentence } from "attune/heads/next-sentence";
 * console.assert(nextSentence().name === "next-sentence");
 * ```
 */
export const nextSentence: Factory<"head"> = define({
  kind: "head",
  name: "next-sentence",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: [],
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "nextSentence", "next-sentence", "it has no next-sentence head");
      const x = applyStyle(b, style, b.rows(states.hidden, b.stream().first));
      return { seqRelationshipLogits: b.linear(style.out, x, { outFeatures: 2 }) };
    },
  }),
});
