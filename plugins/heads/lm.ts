/**
 * The language modelling head: hidden states to logits over the vocabulary.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { unsupported } from "../../core/errors.ts";
import { argmax, cast, div, logSoftmax, mul, pick, tanh } from "../../core/graph/functions.ts";
import type { Factory, Named, Value } from "../../core/types.ts";
import { applyStyle } from "./sequence.ts";

/** Options of {@link lm}: none. */
export type LmOptions = Readonly<Record<never, never>>;

/** Schema of {@link LmOptions}. */
export const lmSchema: v.GenericSchema<LmOptions, LmOptions> = v.strictObject({});

/**
 * Logits of the places that have labels [picked, vocabSize], or of every place where rows have none. With labels,
 * outside training, also `predictions` and `logProbabilities` of the labels, both [picked].
 *
 * @example
 * ```ts
 * import { lm } from "attune/heads/lm";
 * console.assert(lm().modulesToSave.length === 0);
 * ```
 */
export const lm: Factory<"head", LmOptions> = define({
  kind: "head",
  name: "lm",
  schema: lmSchema,
  create: () => ({
    modulesToSave: [],
    forward: (b, states, trunk): Named<Value> => {
      const style = trunk.heads.lm;
      if (!style) throw unsupported("lm", "task", trunk.baseModelPrefix, "this family has no language modelling head");
      const at = b.labelled("labels");
      const hidden = at ? b.rows(states.hidden, at) : states.hidden;
      const made = b.linear(style.out, applyStyle(b, style, hidden), {
        outFeatures: trunk.vocabSize,
        bias: style.bias ?? false,
        ...(style.tied ? { tied: `${trunk.wordEmbeddings}.weight` } : {}),
      });
      const logits = style.softcap === undefined ? made : mul(tanh(div(made, style.softcap)), style.softcap);
      if (!at || b.mode === "train") return { logits };
      const labels: Value = b.input("labels", "int32", at.shape);
      return {
        logits,
        predictions: cast(argmax(logits), "float32"),
        logProbabilities: pick(logSoftmax(logits), labels),
      };
    },
  }),
});
