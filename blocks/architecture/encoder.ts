/** The post-norm transformer encoder that BERT and its relatives share, with the module names of each family. */
import { mulDims, seqDim } from "../../core/graph/ops/dims.ts";
import { add, cast, div, equal, max, reshape, sum, where } from "../../core/graph/ops/functions.ts";
import type { BackboneOutput, GraphBuilder, Side, Value } from "../../core/types.ts";
import { layerNorm } from "./norms.ts";
import type { RelativeAttention } from "./relative.ts";

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

/** Sizes and rates of an encoder. `layers`: for each layer its path, and the paths of its modules. */
export type EncoderOptions = Readonly<{
  hiddenSize: number;
  numHeads: number;
  intermediateSize: number;
  epsilon: number;
  activation: (x: Value) => Value;
  attentionDropout: number;
  /** Dropout after the attention's output projection. */
  projectionDropout: number;
  /** Dropout after the feed-forward's second layer. */
  feedForwardDropout: number;
  /** Terms that depend on distance, added to the attention scores. */
  relative?: RelativeAttention | undefined;
  /** Whether padding attends equally to every position of its row, as it does where a mask hides everything from it. */
  uniformPadding?: boolean | undefined;
  layers: readonly Readonly<{ path: string; paths: LayerPaths }>[];
}>;

/** Splits [batch*seq, heads*headDim] into heads: [batch, seq, heads, headDim]. */
export function splitHeads(x: Value, heads: number, headDim: number, side: Side = "input"): Value {
  return reshape(x, ["batch", seqDim(side), heads, headDim]);
}

/** Joins heads [batch, seq, heads, headDim] to [batch*seq, heads*headDim]. */
export function joinHeads(x: Value): Value {
  const [batch = 1, seq = 1, heads = 1, headDim = 1] = x.shape;
  return reshape(x, [mulDims(batch, seq), mulDims(heads, headDim)]);
}

/** Applies the encoder to embedded tokens [batch*seq, hidden]. */
export function encode(b: GraphBuilder, embedded: Value, o: EncoderOptions): BackboneOutput {
  const headDim = o.hiddenSize / o.numHeads;
  const all: Value[] = [embedded];
  let hidden = embedded;
  const norm = layerNorm(o.epsilon);
  const normAt = (path: string) => (sum: Value): Value => norm(b, path, sum, o.hiddenSize);
  const shared = o.relative?.shared(b) ?? [];
  for (const { path, paths } of o.layers) {
    hidden = b.layer(path, hidden, (x) => {
      const attended = b.sublayer(`${path}.attention`, x, (x) => {
        const project = (name: string): Value =>
          splitHeads(b.linear(name, x, { outFeatures: o.hiddenSize }), o.numHeads, headDim);
        const [query, key, value] = [project(paths.query), project(paths.key), project(paths.value)];
        const read = b.attention(path, query, key, value, {
          dropout: o.attentionDropout,
          ...o.relative?.of(b, path, { query, key }, shared),
        });
        const context = o.uniformPadding ? withUniformPadding(b, read, value) : read;
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
    }, shared);
    all.push(hidden);
  }
  return { hidden, hiddenStates: all };
}

/** Returns the attention's output [batch, seq, heads, headDim] with the mean of all values at padding. */
function withUniformPadding(b: GraphBuilder, read: Value, values: Value): Value {
  const { segments, columnIndex } = b.stream();
  const isPadding = equal(reshape(segments, [...segments.shape, 1, 1]), 0);
  const places = add(max(cast(columnIndex, "float32")), 1);
  return where(isPadding, div(sum(values, 1, true), places), read);
}
