/**
 * Falcon (Almazrouei et al. 2023), with its three layouts of heads, with rotary positions or ALiBi.
 * @module
 */
import { activation } from "../../core/graph/activations.ts";
import { badValue } from "../../core/base/errors.ts";
import { gather, reshape, slice, transpose } from "../../core/graph/ops/functions.ts";
import type {
  AttentionOptions,
  Backbone,
  Factory,
  FamilyFacts,
  GraphBuilder,
  Json,
  Named,
  Value,
} from "../../core/types.ts";
import {
  asHeads,
  causalAttention,
  decode,
  type DecoderLayer,
  defineArchitecture,
  languageHeads,
  layerNorm,
  layerNorms,
  type ModelOptions,
  type Part,
  plainFeedForward,
  readConfig,
  readRotary,
  type Rotation,
  rotationOf,
} from "../../blocks/architecture/mod.ts";

/**
 * Falcon.
 *
 * @example
 * ```ts
 * import { falcon } from "attune/architectures/falcon";
 * console.assert(falcon().modelTypes.includes("falcon"));
 * ```
 */
export const falcon: Factory<"architecture", ModelOptions> = defineArchitecture({ name: "falcon", read });

const family: FamilyFacts = {
  modelType: "falcon",
  classPrefix: "Falcon",
  targets: {
    attention: ["query_key_value"],
    keysValues: ["query_key_value"],
    feedForward: ["dense_4h_to_h"],
    norms: ["input_layernorm", "post_attention_layernorm", "ln_f"],
  },
  noDecay: layerNorms,
  linearClass: "FalconLinear",
};

function read(config: Named<Json>): Backbone {
  const c = readConfig("falcon", config);
  const hiddenSize = c.count("hidden_size", c.count("n_embed", 4544));
  const numHeads = c.count("num_attention_heads", 71);
  if (hiddenSize % numHeads !== 0) {
    throw badValue("falcon", "config.num_attention_heads", numHeads, `a divisor of ${hiddenSize}`);
  }
  const headDim = hiddenSize / numHeads;
  const grouped = c.flag("new_decoder_architecture", false);
  const multiQuery = c.flag("multi_query", true);
  const parallel = c.flag("parallel_attn", true);
  const keyValueHeads = c.count("num_kv_heads", numHeads);
  const numKeyValueHeads = grouped ? keyValueHeads : multiQuery ? 1 : numHeads;
  if (numHeads % numKeyValueHeads !== 0) {
    throw badValue("falcon", "config.num_kv_heads", keyValueHeads, `a divisor of ${numHeads}`);
  }
  const heads = { numHeads, numKeyValueHeads, headDim };
  const norms = c.count("num_ln_in_parallel_attn", grouped ? 2 : 1);
  // A checkpoint may have two norms, but only the new layout uses both.
  const two = parallel && norms === 2;
  if (two && !grouped) {
    throw badValue("falcon", "config.num_ln_in_parallel_attn", norms, "1, without new_decoder_architecture");
  }
  if (grouped && !parallel) {
    throw badValue("falcon", "config.parallel_attn", parallel, "true, with new_decoder_architecture");
  }
  const bias = c.flag("bias", false);
  const vocabSize = c.count("vocab_size", 65024);
  const maxPositions = c.count("max_position_embeddings", 2048);
  const numLayers = c.count("num_hidden_layers", 32);
  const padTokenId = c.id("pad_token_id");
  const alibi = c.flag("alibi", false);
  const rotary = alibi ? undefined : readRotary(config, { plugin: "falcon", headDim, maxPositions });
  const attentionDropout = c.rate("attention_dropout", 0);
  const hiddenDropout = c.rate("hidden_dropout", 0);
  const fed = {
    hiddenSize,
    intermediateSize: c.count("ffn_hidden_size", 4 * hiddenSize),
    activation: activation("falcon", "config.activation", config.activation ?? "gelu"),
    bias,
  };
  const norm = layerNorm(c.number("layer_norm_epsilon", 1e-5));
  const at = (path: string): Part => (b, x) => norm(b, path, x, hiddenSize);

  const layerOf = (i: number, rotation: Rotation | undefined, slopes: Slopes | undefined): DecoderLayer => {
    const path = `transformer.h.${i}`;
    const self = `${path}.self_attention`;
    return {
      path,
      attentionPath: self,
      feedForwardPath: `${path}.mlp`,
      attentionNorm: at(`${path}.${two ? "ln_attn" : "input_layernorm"}`),
      attention: (b, x) => {
        const outFeatures = (numHeads + 2 * numKeyValueHeads) * headDim;
        const y = b.linear(`${self}.query_key_value`, x, { outFeatures, bias });
        const [q, k, v] = split(y, numHeads, numKeyValueHeads, headDim, !grouped && multiQuery);
        const context = causalAttention(b, path, q as Value, k as Value, v as Value, heads, rotation, {
          ...(slopes ? { ...slopes, dropout: attentionDropout } : {}),
        });
        const out = b.linear(`${self}.dense`, context, { outFeatures: hiddenSize, bias });
        return parallel ? out : b.dropout(out, attentionDropout);
      },
      feedForward: (b, x) =>
        plainFeedForward(b, x, { inner: `${path}.mlp.dense_h_to_4h`, outer: `${path}.mlp.dense_4h_to_h` }, fed),
      ...(two ? { feedForwardNorm: at(`${path}.ln_mlp`) } : {}),
      ...(parallel ? { parallel } : { feedForwardNorm: at(`${path}.post_attention_layernorm`) }),
      dropout: hiddenDropout,
    };
  };

  return {
    family,
    hiddenSize,
    ...heads,
    vocabSize,
    maxPositions: rotary?.grows ? Infinity : maxPositions,
    extrapolates: !alibi,
    baseModelPrefix: "transformer",
    wordEmbeddings: "transformer.word_embeddings",
    layers: Array.from({ length: numLayers }, (_, i) => `transformer.h.${i}`),
    heads: languageHeads(c, config, {
      bias: false,
      tied: c.flag("tie_word_embeddings", true),
      token: "classifier",
      span: true,
    }),
    initializerRange: c.number("initializer_range", 0.02),
    ...(padTokenId === undefined ? {} : { padTokenId }),
    forward: (b: GraphBuilder) => {
      const embedded = b.embedding("transformer.word_embeddings", b.stream().ids, {
        numEmbeddings: vocabSize,
        embeddingDim: hiddenSize,
      });
      const rotation = rotary && rotationOf(b, rotary);
      const slopes = alibi ? alibiBias(b, numHeads, headDim, maxPositions) : undefined;
      const layers = Array.from({ length: numLayers }, (_, i) => layerOf(i, rotation, slopes));
      return decode(b, embedded, layers, at("transformer.ln_f"));
    },
  };
}

/** Splits one projection into queries, keys and values: one group of [queries..., key, value] per key head. */
function split(y: Value, numHeads: number, keyHeads: number, headDim: number, multiQuery: boolean): Value[] {
  if (multiQuery) {
    const all = asHeads(y, numHeads + 2, headDim);
    return [slice(all, 2, 0, numHeads), slice(all, 2, numHeads, numHeads + 1), slice(all, 2, numHeads + 1, null)];
  }
  const group = numHeads / keyHeads;
  const all = reshape(y, ["batch", "seq", keyHeads, group + 2, headDim]);
  const part = (from: number, to: number): Value => asHeads(slice(all, 3, from, to), keyHeads * (to - from), headDim);
  return [part(0, group), part(group, group + 1), part(group + 1, group + 2)];
}

type Slopes = Required<Pick<AttentionOptions, "bias" | "prefixBias">>;

/**
 * ALiBi (Press et al. 2022): slope · key position, which differs from slope · distance by a constant per row. Falcon
 * computes it in bfloat16 and adds it before dividing by √headDim.
 */
function alibiBias(b: GraphBuilder, numHeads: number, headDim: number, maxPositions: number): Slopes {
  const slopes = slopesOf(numHeads).map(bfloat16);
  const table = new Float32Array(maxPositions * numHeads);
  for (let p = 0; p < maxPositions; p++) {
    for (let h = 0; h < numHeads; h++) {
      table[p * numHeads + h] = bfloat16((slopes[h] ?? 0) * bfloat16(p)) / Math.sqrt(headDim);
    }
  }
  const rows = b.graph.constant({ dtype: "float32", dims: [maxPositions, numHeads], data: table });
  const biasOf = (positions: Value): Value => {
    const [batch = 1, keys = 1] = positions.shape;
    return transpose(reshape(gather(rows, positions), [batch, keys, 1, numHeads]), [0, 3, 2, 1]);
  };
  return {
    bias: biasOf(b.stream("input", "keys").positions),
    prefixBias: (positions) => biasOf(reshape(positions, [1, positions.shape[0] ?? 1])),
  };
}

function slopesOf(numHeads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(numHeads));
  const base = Math.fround(2 ** -(2 ** -(Math.log2(power) - 3)));
  const extra = Math.fround(2 ** -(2 ** -(Math.log2(2 * power) - 3)));
  return [
    ...Array.from({ length: power }, (_, i) => Math.fround(base ** (i + 1))),
    ...Array.from({ length: numHeads - power }, (_, i) => Math.fround(extra ** (2 * i + 1))),
  ];
}

/** Rounds to the nearest bfloat16 (8 bits of precision), ties to even. */
function bfloat16(x: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, x);
  const bits = view.getUint32(0);
  view.setUint32(0, ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0);
  return view.getFloat32(0);
}
