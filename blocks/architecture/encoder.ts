/**
 * The post-norm transformer encoder that BERT and its relatives share, over the names that each family gives its parts.
 * @module
 */
import { mulDims, seqDim } from "../../core/graph/ops/dims.ts";
import { add, reshape } from "../../core/graph/ops/functions.ts";
import type { BackboneOutput, GraphBuilder, Side, Value } from "../../core/types.ts";
import { layerNorm } from "./norms.ts";

/** One layer's modules, by full path. */
export type LayerPaths = Readonly<{
  query: string;
  key: string;
  value: string;
  attentionOut: string;
  attentionNorm: string;
  intermediate: string;
  output: string;
  outputNorm: string;
}>;

/** Sizes and rates of an encoder. `layer(i)`: a path for each layer and where its parameters are. */
export type EncoderOptions = Readonly<{
  hiddenSize: number;
  numHeads: number;
  intermediateSize: number;
  epsilon: number;
  activation: (x: Value) => Value;
  attentionDropout: number;
  /** After the attention's output projection. */
  projectionDropout: number;
  /** After the feed-forward's second layer. */
  feedForwardDropout: number;
  layers: readonly Readonly<{ path: string; paths: LayerPaths }>[];
}>;

/** Splits [batch*seq, heads*headDim] into heads: [batch, seq, heads, headDim]. */
export function splitHeads(x: Value, heads: number, headDim: number, side: Side = "input"): Value {
  return reshape(x, ["batch", seqDim(side), heads, headDim]);
}

/** [batch, seq, heads, headDim] as [batch*seq, heads*headDim]. */
export function joinHeads(x: Value): Value {
  const [batch = 1, seq = 1, heads = 1, headDim = 1] = x.shape;
  return reshape(x, [mulDims(batch, seq), mulDims(heads, headDim)]);
}

/** The encoder over embedded tokens [batch*seq, hidden]. */
export function encode(b: GraphBuilder, embedded: Value, o: EncoderOptions): BackboneOutput {
  const headDim = o.hiddenSize / o.numHeads;
  const all: Value[] = [embedded];
  let hidden = embedded;
  const norm = layerNorm(o.epsilon);
  const normAt = (path: string) => (sum: Value): Value => norm(b, path, sum, o.hiddenSize);
  for (const { path, paths } of o.layers) {
    hidden = b.layer(path, hidden, (x) => {
      const attended = b.sublayer(`${path}.attention`, x, (x) => {
        const project = (name: string): Value =>
          splitHeads(b.linear(name, x, { outFeatures: o.hiddenSize }), o.numHeads, headDim);
        const context = b.attention(path, project(paths.query), project(paths.key), project(paths.value), {
          dropout: o.attentionDropout,
        });
        return b.dropout(
          b.linear(paths.attentionOut, joinHeads(context), { outFeatures: o.hiddenSize }),
          o.projectionDropout,
        );
      }, { norm: normAt(paths.attentionNorm) });
      const middle = normAt(paths.attentionNorm)(add(attended, x));
      const fed = b.sublayer(`${path}.output`, middle, (x) => {
        const inner = o.activation(b.linear(paths.intermediate, x, { outFeatures: o.intermediateSize }));
        return b.dropout(b.linear(paths.output, inner, { outFeatures: o.hiddenSize }), o.feedForwardDropout);
      }, { norm: normAt(paths.outputNorm) });
      return normAt(paths.outputNorm)(add(fed, middle));
    });
    all.push(hidden);
  }
  return { hidden, hiddenStates: all };
}
