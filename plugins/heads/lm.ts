/**
 * The language modelling head: hidden states to logits over the vocabulary.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { unsupported } from "../../core/errors.ts";
import { chunkedLogits } from "../../core/graph/chunked_logits.ts";
import { add, argmax, cast, div, logSoftmax, maximum, mul, pick, tanh } from "../../core/graph/functions.ts";
import type {
  BackboneOutput,
  Factory,
  GraphBuilder,
  HeadSpec,
  InspectedBackbone,
  Named,
  Value,
} from "../../core/types.ts";
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
    forward: (b, states, backbone): Named<Value> => {
      const style = backbone.heads.lm;
      if (!style) {
        throw unsupported("lm", "task", backbone.baseModelPrefix, "this family has no language modelling head");
      }
      return languageOutputs(b, states, backbone, style);
    },
  }),
});

/** Logits over the vocabulary by a family's style, of what has labels; and what those come to, outside training. */
export function languageOutputs(
  b: GraphBuilder,
  states: BackboneOutput,
  backbone: InspectedBackbone,
  style: HeadSpec,
): Named<Value> {
  const at = b.labelled("labels");
  const logits = vocabularyLogits(b, at ? b.rows(states.hidden, at) : states.hidden, backbone, style);
  if (!at || b.mode !== "evaluate") return { logits };
  const labels: Value = maximum(b.input("labels", "int32", at.shape), 0);
  const many = chunkedLogits(logits, labels, { mean: b.labelSmoothing !== 0, best: true });
  if (many?.best) return { logits, predictions: many.best, logProbabilities: many.own };
  return {
    logits,
    predictions: cast(argmax(logits), "float32"),
    logProbabilities: pick(logSoftmax(logits), labels),
  };
}

/** States [n, hidden] to logits over the vocabulary [n, vocabSize] by a family's style. */
export function vocabularyLogits(b: GraphBuilder, hidden: Value, backbone: InspectedBackbone, style: HeadSpec): Value {
  const { out, bias = false, outBias, tied, softcap, buffer } = style;
  let logits = b.linear(out, applyStyle(b, style, hidden), {
    outFeatures: backbone.vocabSize,
    bias: bias || outBias !== undefined,
    ...(tied ? { tied: `${backbone.wordEmbeddings}.weight` } : {}),
    ...(outBias === undefined ? {} : { tiedBias: outBias }),
  });
  if (buffer !== undefined) {
    logits = add(logits, b.parameter(buffer, [1, backbone.vocabSize], "zeros", { frozen: true }));
  }
  if (softcap !== undefined) logits = mul(tanh(div(logits, softcap)), softcap);
  return logits;
}
