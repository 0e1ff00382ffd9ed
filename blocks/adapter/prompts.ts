/** Learned vectors prepended to sequences: embeddings of virtual tokens, or keys and values in every layer. */
import { badValue, unsupported } from "../../core/base/errors.ts";
import { tanh as hyperbolic } from "../../core/math/math.ts";
import {
  concat,
  equal,
  expand,
  gather,
  gemm,
  maximum,
  relu,
  reshape,
  slice,
  sub,
  tanh,
  where,
} from "../../core/graph/ops/functions.ts";
import type { AttachedAdapter, GraphBuilder, InspectedBackbone, Tensor, Value } from "../../core/types.ts";

/**
 * Returns how many submodules have their own prompts by PEFT's rule: both encoder and decoder of a sequence-to-sequence
 * model, although only one uses them.
 */
export function submodules(task: string): number {
  return task === "SEQ_2_SEQ_LM" ? 2 : 1;
}

/** Adds virtual tokens whose embeddings are the first rows of `prompt` [at least count, dim]. */
export function promptAdapter(
  backbone: InspectedBackbone,
  count: number,
  prompt: (b: GraphBuilder, dim: number) => Value,
): Pick<AttachedAdapter, "reservedPositions" | "embedding"> {
  if (count >= backbone.maxPositions) {
    throw badValue(
      "prompt",
      "adapter.with.numVirtualTokens",
      count,
      `fewer than the model's ${backbone.maxPositions} positions`,
    );
  }
  return {
    reservedPositions: { tokens: count },
    embedding: (b, call, next) => {
      const y = next(call);
      if (!backbone.wordLookups.includes(call.path) || call.side !== "input") return y;
      // 0: a token of the row; n: the n-th virtual one
      const number = reshape(b.input("virtual", "int32", ["batch", "seq"]), ["batch*seq"]);
      const rows = gather(prompt(b, call.embeddingDim), maximum(sub(number, 1), 0));
      return where(equal(reshape(number, ["batch*seq", 1]), 0), y, rows);
    },
  };
}

/**
 * Returns the layers that read a prefix (in encoder-decoder models the decoder's) and `count`, the number of layers in
 * the table: by PEFT's rule the encoder's.
 */
export function prefixedLayers(
  plugin: string,
  backbone: InspectedBackbone,
): Readonly<{ layers: readonly string[]; count: number }> {
  const { layers } = backbone;
  if (backbone.decoderStartTokenId === undefined) return { layers, count: layers.length };
  const decoder = layers.filter((path) => path.split(".").includes("decoder"));
  const count = layers.length - decoder.length;
  if (decoder.length > count) {
    throw unsupported(plugin, "adapter", backbone.family.modelType, "its decoder has more layers than its encoder");
  }
  return { layers: decoder, count };
}

/**
 * Prepends keys and values in every layer (in encoder-decoder models in the decoder's self-attention): `prefix`
 * [count, layers × (keys, values) × heads × head size].
 */
export function prefixAdapter(
  plugin: string,
  backbone: InspectedBackbone,
  count: number,
  prefix: (b: GraphBuilder, width: number) => Value,
): Pick<AttachedAdapter, "reservedPositions" | "attention"> {
  const { numKeyValueHeads: heads, headDim } = backbone;
  if (new Set(backbone.layers).size < backbone.layers.length) {
    throw unsupported(
      plugin,
      "adapter",
      backbone.family.modelType,
      "its layers share their weights, so they cannot have separate prefixes",
    );
  }
  const { layers, count: parts } = prefixedLayers(plugin, backbone);
  return {
    reservedPositions: { positions: count },
    attention: (b, call, next) => {
      const layer = layers.findIndex((path) => call.path === path || call.path.startsWith(`${path}.`));
      const { queries = "input", keys = "input" } = call.options;
      const reads = backbone.decoderStartTokenId === undefined || (queries === "decoder" && keys === "decoder");
      if (!reads) return next(call);
      if (layer < 0) throw badValue(plugin, "adapter", call.path, "attention inside one of the model's layers");
      // PEFT hands each layer of a decoder two pairs, for either side, and leaves one: so every second one is read.
      const pair = backbone.decoderStartTokenId === undefined ? layer : (2 * layer) % parts;
      const all = reshape(prefix(b, 2 * parts * heads * headDim), [count, 2 * parts, heads, headDim]);
      const projection = (part: number): Value => {
        const rows = reshape(slice(all, 1, 2 * pair + part, 2 * pair + part + 1), [1, count, heads, headDim]);
        return expand(rows, ["batch", count, heads, headDim]);
      };
      return next({
        ...call,
        k: concat([projection(0), call.k], 1),
        v: concat([projection(1), call.v], 1),
        prefix: call.prefix + count,
      });
    },
  };
}

type Activation = "relu" | "tanh";
type Read = (name: string) => Promise<Tensor<Float32Array>>;

/**
 * Applies linear layers to the rows of a table, with an activation between them; `paths` name their weights and biases.
 * `zero`: the last layer starts as zeros.
 */
export function mlp(
  b: GraphBuilder,
  x: Value,
  paths: readonly string[],
  widths: readonly number[],
  activation: Activation,
  zero = false,
): Value {
  return paths.reduce((x, path, i) => {
    const [inFeatures, outFeatures] = [Number(x.shape[1]), widths[i] ?? 1];
    // Initialized like torch.nn.Linear.
    const last = i === paths.length - 1;
    const init = last && zero ? "zeros" as const : { uniform: 1 / Math.sqrt(inFeatures) };
    const weight = b.parameter(`${path}.weight`, [outFeatures, inFeatures], init);
    const y = gemm(x, weight, b.parameter(`${path}.bias`, [outFeatures], init), { transB: true });
    return last ? y : activation === "relu" ? relu(y) : tanh(y);
  }, x);
}

/** Computes what `mlp` does on the host, to get the rows that a file holds. */
export async function encodeRows(
  read: Read,
  table: string,
  paths: readonly string[],
  activation: Activation,
): Promise<Tensor<Float32Array>> {
  const first = await read(table);
  const rows = first.dims[0] ?? 0;
  let [x, width] = [Float64Array.from(first.data), first.dims[1] ?? 1];
  for (const [i, path] of paths.entries()) {
    const [{ data: weight, dims }, { data: bias }] = [await read(`${path}.weight`), await read(`${path}.bias`)];
    const outFeatures = dims[0] ?? 1;
    const y = new Float64Array(rows * outFeatures);
    for (let r = 0; r < rows; r++) {
      for (let o = 0; o < outFeatures; o++) {
        let sum = bias[o] ?? 0;
        for (let j = 0; j < width; j++) sum += (x[r * width + j] ?? 0) * (weight[o * width + j] ?? 0);
        const last = i === paths.length - 1;
        y[r * outFeatures + o] = last ? sum : activation === "relu" ? Math.max(0, sum) : hyperbolic(sum);
      }
    }
    [x, width] = [y, outFeatures];
  }
  return { dtype: "float32", dims: [rows, width], data: Float32Array.from(x) };
}
