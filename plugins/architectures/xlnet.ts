/**
 * XLNet (Yang et al. 2019): attention over relative positions and segments, and a second stream of queries that know
 * their position but not its token. There is no dropout on position encodings.
 * @module
 */
import { activation } from "../../core/graph/activations.ts";
import { badValue } from "../../core/base/errors.ts";
import {
  add,
  cast,
  concat,
  cos,
  equal,
  expand,
  greater,
  matmul,
  maximum,
  minimum,
  mul,
  product,
  reshape,
  sin,
  slice,
  transpose,
  where,
} from "../../core/graph/ops/functions.ts";
import type {
  Backbone,
  BackboneOutput,
  Factory,
  FamilyFacts,
  GraphBuilder,
  HeadSpec,
  Json,
  Named,
  Value,
} from "../../core/types.ts";
import {
  allDistances,
  type ConfigReader,
  defineArchitecture,
  layerNorm,
  type ModelOptions,
  type Norm,
  readConfig,
  relativeShift,
  sequenceSummary,
} from "../../blocks/architecture/mod.ts";

/**
 * XLNet, read from `config.json`.
 *
 * @example
 * ```ts
 * import { xlnet } from "attune/architectures/xlnet";
 * console.assert(xlnet().modelTypes[0] === "xlnet");
 * ```
 */
export const xlnet: Factory<"architecture", ModelOptions> = defineArchitecture({ name: "xlnet", read });

/** A score so low that its softmax weight is zero. */
const MASKED_SCORE = -1e9;

type Sizes = Readonly<{
  hiddenSize: number;
  numHeads: number;
  headDim: number;
  innerSize: number;
  dropout: number;
  activation: (x: Value) => Value;
  norm: Norm;
  /** Whether attention is causal. */
  causal: boolean;
  /** Distances are clamped to this; 0: they are not. */
  clamp: number;
}>;

/** What layers share. `segments`: whether two positions' differ. `masked`: scores that hide later predictions. */
type Shared = Readonly<{
  positions: Value; // [2*seq, hidden]
  segments: Value | undefined; // [batch, 1, seq, seq] bool
  masked: Readonly<{ content: Value; query: Value }> | undefined; // [batch, 1, seq, seq]
}>;

const family: FamilyFacts = {
  modelType: "xlnet",
  classPrefix: "XLNet",
  classes: { ForCausalLM: "XLNetLMHeadModel", ForQuestionAnswering: "XLNetForQuestionAnsweringSimple" },
  targets: {},
};

function read(config: Named<Json>): Backbone {
  const c = readConfig("xlnet", config);
  c.only("attn_type", "bi", "uni");
  c.only("bi_data", false);
  const causal = config.attn_type === "uni";
  if (causal) c.only("same_length", false);
  const hiddenSize = c.count("d_model", 1024);
  const numHeads = c.count("n_head", 16);
  const headDim = c.count("d_head", hiddenSize / numHeads);
  if (numHeads * headDim !== hiddenSize) {
    throw badValue("xlnet", "config.d_head", headDim, `${hiddenSize / numHeads} (d_model / n_head)`);
  }
  const sizes: Sizes = {
    hiddenSize,
    numHeads,
    headDim,
    innerSize: c.count("d_inner", 4096),
    dropout: c.rate("dropout", 0.1),
    activation: activation("xlnet", "config.ff_activation", config.ff_activation ?? "gelu"),
    norm: layerNorm(c.number("layer_norm_eps", 1e-12)),
    causal,
    clamp: Math.max(0, c.number("clamp_len", -1)),
  };
  const vocabSize = c.count("vocab_size", 32000);
  const layers = Array.from({ length: c.count("n_layer", 24) }, (_, i) => `transformer.layer.${i}`);
  return {
    family,
    hiddenSize,
    numHeads,
    numKeyValueHeads: numHeads,
    headDim,
    vocabSize,
    maxPositions: Infinity,
    baseModelPrefix: "transformer",
    wordEmbeddings: "transformer.word_embedding",
    layers,
    heads: headsOf(c, config, hiddenSize),
    initializerRange: c.number("initializer_range", 0.02),
    forward: (b) => forward(b, vocabSize, layers, sizes),
  };
}

function headsOf(c: ConfigReader, config: Named<Json>, hiddenSize: number): Named<HeadSpec> {
  const summary = sequenceSummary(c, hiddenSize, { type: "last", activation: "tanh" });
  const lm = { steps: [], out: "lm_loss", bias: true, tied: config.tie_word_embeddings !== false };
  return {
    lm,
    permutation: lm,
    sequence: { ...summary, out: "logits_proj" },
    token: { steps: [], out: "classifier" },
    span: { steps: [], out: "qa_outputs" },
    choice: { ...summary, out: "logits_proj" },
  };
}

function forward(b: GraphBuilder, vocabSize: number, layers: readonly string[], sizes: Sizes): BackboneOutput {
  const { hiddenSize, dropout } = sizes;
  const { ids } = b.stream();
  const options = { numEmbeddings: vocabSize, embeddingDim: hiddenSize };
  let content = b.dropout(b.embedding("transformer.word_embedding", ids, options), dropout);
  const shared: Shared = {
    positions: relativePositions(b, sizes),
    segments: segmentsDiffer(b),
    masked: predictionOrder(b),
  };
  const empty = shared.masked && b.parameter("transformer.mask_emb", [1, 1, hiddenSize]);
  let query = empty && b.dropout(expand(reshape(empty, [1, hiddenSize]), ["batch*seq", hiddenSize]), dropout);
  const all: Value[] = [content];
  for (const path of layers) {
    const keys = content;
    content = b.layer(path, keys, (x) => layerOf(b, path, x, x, shared.masked?.content, shared, sizes));
    if (query) query = layerOf(b, path, query, keys, shared.masked?.query, shared, sizes);
    all.push(content);
  }
  return {
    hidden: b.dropout(content, dropout),
    hiddenStates: all,
    ...(query ? { query: b.dropout(query, dropout) } : {}),
  };
}

/** Runs one layer: queries from `x`, keys and values from `keys`. */
function layerOf(
  b: GraphBuilder,
  path: string,
  x: Value,
  keys: Value,
  hidden: Value | undefined,
  shared: Shared,
  { hiddenSize, innerSize, dropout, activation, norm, ...o }: Sizes,
): Value {
  const attention = `${path}.rel_attn`;
  const attended = b.sublayer(attention, x, (x) => {
    const context = relativeAttention(b, path, x, keys, hidden, shared, { hiddenSize, dropout, ...o });
    const out = reshape(b.parameter(`${attention}.o`, [hiddenSize, o.numHeads, o.headDim]), [hiddenSize, hiddenSize]);
    return b.dropout(product(context, out, { transB: true }), dropout);
  });
  const middle = norm(b, `${attention}.layer_norm`, add(attended, x), hiddenSize);
  const fed = b.sublayer(`${path}.ff`, middle, (x) => {
    const inner = b.dropout(activation(b.linear(`${path}.ff.layer_1`, x, { outFeatures: innerSize })), dropout);
    return b.dropout(b.linear(`${path}.ff.layer_2`, inner, { outFeatures: hiddenSize }), dropout);
  });
  return norm(b, `${path}.ff.layer_norm`, add(fed, middle), hiddenSize);
}

/** Attention with scores (content + position + segment) / √headDim (Dai et al. 2019): [batch*seq, hidden]. */
function relativeAttention(
  b: GraphBuilder,
  path: string,
  x: Value,
  keys: Value,
  hidden: Value | undefined,
  { positions, segments }: Shared,
  { hiddenSize, numHeads, headDim, dropout, causal }: Pick<
    Sizes,
    "hiddenSize" | "numHeads" | "headDim" | "dropout" | "causal"
  >,
): Value {
  const of = (name: string): string => `${path}.rel_attn.${name}`;
  const matrix = (name: string): Value =>
    reshape(b.parameter(of(name), [hiddenSize, numHeads, headDim]), [hiddenSize, hiddenSize]);
  const heads = (x: Value, name: string): Value =>
    reshape(matmul(x, matrix(name)), ["batch", "seq", numHeads, headDim]);
  const q = heads(x, "q");
  const scale = 1 / Math.sqrt(headDim);
  const withBias = (name: string): Value => add(q, b.parameter(of(name), [numHeads, headDim]));
  const byHead = (x: Value): Value => transpose(x, [0, 2, 1, 3]); // [batch, heads, seq, headDim]
  const distances = byHead(reshape(matmul(positions, matrix("r")), [1, "2*seq", numHeads, headDim]));
  const byDistance = product(byHead(withBias("r_r_bias")), distances, { alpha: scale, transB: true });
  let bias = relativeShift(byDistance, numHeads);
  if (segments) {
    const table = transpose(b.parameter(of("seg_embed"), [2, numHeads, headDim]), [1, 2, 0]); // [heads, headDim, 2]
    const scores = mul(matmul(byHead(withBias("r_s_bias")), reshape(table, [1, numHeads, headDim, 2])), scale);
    bias = add(bias, where(segments, slice(scores, 3, 1, 2), slice(scores, 3, 0, 1)));
  }
  if (hidden) bias = add(bias, hidden);
  const context = b.attention(path, withBias("r_w_bias"), heads(keys, "k"), heads(keys, "v"), {
    scale,
    bias,
    dropout,
    causal,
  });
  return reshape(context, ["batch*seq", hiddenSize]);
}

/** Returns sines and cosines of the distances seq - 1, seq - 2, ..., -seq: [2*seq, hidden]. */
function relativePositions(b: GraphBuilder, { hiddenSize, clamp }: Pick<Sizes, "hiddenSize" | "clamp">): Value {
  const all = allDistances(b);
  const distances = clamp > 0 ? minimum(maximum(all, -clamp), clamp) : all;
  const half = hiddenSize / 2;
  const data = Float32Array.from({ length: half }, (_, i) => 1 / 10000 ** Math.fround((2 * i) / hiddenSize));
  const frequencies = b.graph.constant({ dtype: "float32", dims: [1, half], data });
  const angles = mul(reshape(distances, ["2*seq", 1]), frequencies);
  return concat([sin(angles), cos(angles)], 1);
}

/** Whether the segments of key and query differ; undefined if rows have no segments. */
function segmentsDiffer(b: GraphBuilder): Value | undefined {
  if (!b.hasField("token_type_ids")) return undefined;
  const types = b.input("token_type_ids", "int32", ["batch", "seq"]);
  const rows = reshape(types, ["batch", 1, "seq", 1]);
  const same = cast(equal(rows, reshape(types, ["batch", 1, 1, "seq"])), "float32");
  return equal(same, 0);
}

/** Returns scores for `perm_mask`; in the content stream, each position sees itself. */
function predictionOrder(b: GraphBuilder): Shared["masked"] {
  if (!b.hasField("perm_mask")) return undefined;
  const mask = reshape(b.input("perm_mask", "float32", ["batch", "seq", "seq"]), ["batch", 1, "seq", "seq"]);
  const columns = b.input("columns", "int32", ["seq"]);
  const own = equal(reshape(columns, ["seq", 1]), reshape(columns, [1, "seq"]));
  const query = where(greater(mask, 0), MASKED_SCORE, 0);
  return { query, content: where(own, 0, query) };
}
