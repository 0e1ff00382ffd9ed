/**
 * The question answering head: where a span begins and ends.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { reshape, slice } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { applyStyle, styleOf } from "../../blocks/head/mod.ts";
import { spanModules } from "../../formats/hf/head_modules.ts";

/**
 * `startLogits` and `endLogits` [batch, seq] as the family's ForQuestionAnswering computes them; for encoder-decoder
 * models, of the decoder, which reads the same tokens shifted right: [batch, decoderSeq]. The softmax is
 * over a whole row, padding included, so each sequence needs a row of its own.
 *
 * @example
 * ```ts
 * import { span } from "attune/heads/span";
 * console.assert(span().unshareable);
 * ```
 */
export const span: Factory<"head"> = define({
  kind: "head",
  name: "span",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: spanModules,
    unshareable: true,
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "span", "span", "this family has no question answering head");
      const x = applyStyle(b, style, states.hidden);
      const logits = b.linear(style.out, x, { outFeatures: 2, bias: style.bias ?? true }); // [batch*seq, 2]
      const column = (i: number) =>
        reshape(slice(logits, 1, i, i + 1), ["batch", states.encoder ? "decoderSeq" : "seq"]);
      return { startLogits: column(0), endLogits: column(1) };
    },
  }),
});
