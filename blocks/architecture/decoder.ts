/** The pre-norm transformer that decoder-only families share; each brings its own norms, attention and feed-forward. */
import { add, reshape } from "../../core/graph/ops/functions.ts";
import type { AttentionOptions, BackboneOutput, GraphBuilder, HeadSpec, Json, Named, Value } from "../../core/types.ts";
import type { ConfigReader } from "./config.ts";
import { rotate, type Rotation } from "./rotary.ts";

/** A part of a layer, from hidden states to hidden states. */
export type Part = (b: GraphBuilder, x: Value) => Value;

/**
 * One layer: x + attention(norm(x)), then x + feedForward(norm(x)). `parallel`: both read the layer's input and are
 * added to it together. `...After`: norms of the outputs of a part.
 */
export type DecoderLayer = Readonly<{
  path: string;
  attentionPath: string;
  feedForwardPath: string;
  attentionNorm: Part;
  attention: Part;
  attentionAfter?: Part;
  /** Absent: the feed-forward reads what the attention reads. */
  feedForwardNorm?: Part;
  feedForward: Part;
  feedForwardAfter?: Part;
  parallel?: boolean;
  /** Dropout on the feed-forward's output, plus the attention's if they are parallel. */
  dropout?: number;
}>;

/** Applies a decoder to embedded tokens [batch*seq, hidden]. */
export function decode(
  b: GraphBuilder,
  embedded: Value,
  layers: readonly DecoderLayer[],
  finalNorm: Part,
): BackboneOutput {
  const all: Value[] = [];
  let hidden = embedded;
  for (const layer of layers) {
    all.push(hidden);
    hidden = b.layer(layer.path, hidden, (x) => {
      const read = layer.attentionNorm(b, x);
      const attended = b.sublayer(layer.attentionPath, read, (x) => layer.attention(b, x), { residual: x });
      const attentionOutput = layer.attentionAfter ? layer.attentionAfter(b, attended) : attended;
      const middle = layer.parallel ? x : add(attentionOutput, x);
      const fed = b.sublayer(
        layer.feedForwardPath,
        layer.feedForwardNorm ? layer.feedForwardNorm(b, middle) : read,
        (x) => layer.feedForward(b, x),
        { residual: middle },
      );
      const after = layer.feedForwardAfter ? layer.feedForwardAfter(b, fed) : fed;
      const rate = layer.dropout ?? 0;
      return layer.parallel
        ? add(b.dropout(add(after, attentionOutput), rate), x)
        : add(b.dropout(after, rate), middle);
    });
  }
  // As in transformers, the last of the returned states is normalized.
  hidden = finalNorm(b, hidden);
  return { hidden, hiddenStates: [...all, hidden] };
}

/** Numbers and size of a decoder's attention heads. */
export type Heads = Readonly<{ numHeads: number; numKeyValueHeads: number; headDim: number }>;

/** [batch*seq, heads*headDim] → [batch, seq, heads, headDim]. */
export function asHeads(x: Value, heads: number, headDim: number): Value {
  return reshape(x, ["batch", "seq", heads, headDim]);
}

/** Causal attention over heads, with rotary positions if there is a rotation: [batch*seq, numHeads*headDim]. */
export function causalAttention(
  b: GraphBuilder,
  path: string,
  q: Value,
  k: Value,
  v: Value,
  { numHeads, headDim }: Heads,
  rotation: Rotation | undefined,
  options: AttentionOptions,
): Value {
  const turned = (x: Value): Value => (rotation ? rotate(x, rotation) : x);
  const context = b.attention(path, turned(q), turned(k), v, { ...options, causal: true });
  return reshape(context, ["batch*seq", numHeads * headDim]);
}

/** Returns a family's heads. `token`: the name of the token classifier's layer; `scale`: of vocabulary logits. */
export function languageHeads(
  c: ConfigReader,
  config: Named<Json>,
  lm: Readonly<
    { bias: boolean; tied: boolean; softcap?: number | undefined; scale?: number; token: string; span?: boolean }
  >,
): Named<HeadSpec> {
  const firstStated = [config.classifier_dropout, config.hidden_dropout].findIndex((x) =>
    x !== undefined && x !== null
  );
  const dropout = firstStated < 0 ? 0.1 : c.rate(firstStated === 0 ? "classifier_dropout" : "hidden_dropout");
  return {
    lm: {
      steps: lm.scale === undefined ? [] : [{ scale: lm.scale }],
      out: "lm_head",
      bias: lm.bias,
      tied: lm.tied,
      ...(lm.softcap === undefined ? {} : { softcap: lm.softcap }),
    },
    sequence: { pool: "last", steps: [], out: "score", bias: false },
    token: { steps: [{ dropout }], out: lm.token },
    ...(lm.span ? { span: { steps: [], out: "qa_outputs" } } : {}),
  };
}
