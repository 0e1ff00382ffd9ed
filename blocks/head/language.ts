/** Logits over the vocabulary. */
import { chunkedLogits } from "../../core/graph/chunked_logits.ts";
import { add, argmax, cast, div, logSoftmax, maximum, mul, pick, tanh } from "../../core/graph/ops/functions.ts";
import type { BackboneOutput, GraphBuilder, HeadSpec, InspectedBackbone, Named, Value } from "../../core/types.ts";
import { applyStyle } from "./style.ts";

/** Outputs a family's logits over the vocabulary at labelled positions and, outside of training, their scores. */
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
  // These count as a part of the loss, even if the logits have few bits.
  return logits.graph.within("loss.labels", () => {
    const many = chunkedLogits(logits, labels, { mean: b.labelSmoothing !== 0, best: true });
    if (many?.best) return { logits, predictions: many.best, logProbabilities: many.label };
    return {
      logits,
      predictions: cast(argmax(logits), "float32"),
      logProbabilities: pick(logSoftmax(logits), labels),
    };
  });
}

/** Maps states [n, hidden] to logits over the vocabulary [n, vocabSize] in a family's style. */
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
