/**
 * ModernBERT (Warner et al. 2024): an encoder with rotary positions, gated feed-forward parts, pre-norms, and local
 * attention layers between global ones.
 * @module
 */
import { activation } from "../../core/graph/activations.ts";
import { badValue } from "../../core/base/errors.ts";
import { reshape, slice } from "../../core/graph/ops/functions.ts";
import type { Backbone, Factory, FamilyFacts, GraphBuilder, HeadSpec, Json, Named } from "../../core/types.ts";
import {
  asHeads,
  type ConfigReader,
  decode,
  type DecoderLayer,
  defineArchitecture,
  gatedFeedForward,
  layerNorm,
  type ModelOptions,
  type Part,
  readConfig,
  readRotary,
  rotate,
  type Rotation,
  rotationOf,
} from "../../blocks/architecture/mod.ts";

/**
 * ModernBERT, read from `config.json`.
 *
 * @example
 * ```ts
 * import { modernbert } from "attune/architectures/modernbert";
 * console.assert(modernbert().modelTypes[0] === "modernbert");
 * ```
 */
export const modernbert: Factory<"architecture", ModelOptions> = defineArchitecture({ name: "modernbert", read });

const FULL = "full_attention";
const LOCAL = "sliding_attention";

const family: FamilyFacts = {
  modelType: "modernbert",
  classPrefix: "ModernBert",
  targets: { attention: ["Wqkv"] },
};

function read(config: Named<Json>): Backbone {
  const c = readConfig("modernbert", config);
  c.only("position_embedding_type", "absolute", "sans_pos");
  const hiddenSize = c.count("hidden_size", 768);
  const numHeads = c.count("num_attention_heads", 12);
  if (hiddenSize % numHeads !== 0) {
    throw badValue("modernbert", "config.num_attention_heads", numHeads, `a divisor of ${hiddenSize}`);
  }
  const headDim = hiddenSize / numHeads;
  const vocabSize = c.count("vocab_size", 50368);
  const maxPositions = c.count("max_position_embeddings", 8192);
  const types = layerTypes(c, config);
  const norm = layerNorm(c.number("norm_eps", 1e-5), c.flag("norm_bias", false));
  const at = (path: string): Part => (b, x) => norm(b, path, x, hiddenSize);
  const rotaries = Object.fromEntries([FULL, LOCAL].map((layerType) => [
    layerType,
    readRotary(config, {
      plugin: "modernbert",
      headDim,
      maxPositions,
      layerType,
      ...(layerType === FULL
        ? { theta: "global_rope_theta", defaultTheta: 160000 }
        : { theta: "local_rope_theta", defaultTheta: 10000, scaling: null }),
    }),
  ]));
  const dropout = c.rate("attention_dropout", 0);
  const bias = c.flag("attention_bias", false);
  const fed = {
    hiddenSize,
    intermediateSize: c.count("intermediate_size", 1152),
    activation: activation("modernbert", "config.hidden_activation", config.hidden_activation ?? "gelu"),
    bias: c.flag("mlp_bias", false),
    dropout: c.rate("mlp_dropout", 0),
  };
  // Half of the window to each side, plus the token itself.
  const window = Math.floor(c.count("local_attention", 128) / 2) + 1;

  const layerOf = (i: number, rotations: Named<Rotation>): DecoderLayer => {
    const path = `model.layers.${i}`;
    const type = types[i] ?? FULL;
    return {
      path,
      attentionPath: `${path}.attn`,
      feedForwardPath: `${path}.mlp`,
      attentionNorm: i === 0 ? (_, x) => x : at(`${path}.attn_norm`),
      attention: (b, x) => {
        const qkv = b.linear(`${path}.attn.Wqkv`, x, { outFeatures: 3 * hiddenSize, bias });
        const [q, k, v] = [0, 1, 2].map((n) =>
          asHeads(slice(qkv, -1, n * hiddenSize, (n + 1) * hiddenSize), numHeads, headDim)
        ) as [typeof x, typeof x, typeof x];
        const rotation = rotations[type] as Rotation;
        const context = b.attention(path, rotate(q, rotation), rotate(k, rotation), v, {
          dropout,
          ...(type === LOCAL ? { window } : {}),
        });
        const out = b.linear(`${path}.attn.Wo`, reshape(context, ["batch*seq", hiddenSize]), {
          outFeatures: hiddenSize,
          bias,
        });
        return b.dropout(out, dropout);
      },
      feedForwardNorm: at(`${path}.mlp_norm`),
      feedForward: (b, x) =>
        gatedFeedForward(b, x, { gate: `${path}.mlp.Wi`, up: `${path}.mlp.Wi`, down: `${path}.mlp.Wo` }, fed),
    };
  };

  return {
    family,
    hiddenSize,
    numHeads,
    numKeyValueHeads: numHeads,
    headDim,
    vocabSize,
    maxPositions,
    extrapolates: true,
    baseModelPrefix: "model",
    wordEmbeddings: "model.embeddings.tok_embeddings",
    layers: types.map((_, i) => `model.layers.${i}`),
    heads: headsOf(c, config, hiddenSize),
    initializerRange: c.number("initializer_range", 0.02),
    forward: (b: GraphBuilder) => {
      const embedded = b.embedding("model.embeddings.tok_embeddings", b.stream().ids, {
        numEmbeddings: vocabSize,
        embeddingDim: hiddenSize,
        paddingIdx: c.row("pad_token_id", vocabSize) ?? 50283,
      });
      const x = b.dropout(at("model.embeddings.norm")(b, embedded), c.rate("embedding_dropout", 0));
      const rotations = Object.fromEntries(
        [...new Set(types)].map((type) => [type, rotationOf(b, rotaries[type] as ReturnType<typeof readRotary>)]),
      );
      return decode(b, x, types.map((_, i) => layerOf(i, rotations)), at("model.final_norm"));
    },
  };
}

/** Returns each layer's attention type: `layer_types`, or else global in every n-th layer. */
function layerTypes(c: ConfigReader, config: Named<Json>): string[] {
  const layers = c.count("num_hidden_layers", 22);
  const every = c.count("global_attn_every_n_layers", 3);
  const kinds = config.layer_types;
  if (kinds === undefined || kinds === null) {
    return Array.from({ length: layers }, (_, i) => (i % every === 0 ? FULL : LOCAL));
  }
  if (Array.isArray(kinds) && kinds.length === layers && kinds.every((type) => type === FULL || type === LOCAL)) {
    return kinds as string[];
  }
  throw badValue("modernbert", "config.layer_types", kinds, `${layers} times ${FULL} or ${LOCAL}`);
}

function headsOf(c: ConfigReader, config: Named<Json>, hiddenSize: number): Named<HeadSpec> {
  const pooling = c.text("classifier_pooling", "cls");
  c.only("classifier_pooling", "cls", "mean");
  const steps: HeadSpec["steps"] = [
    { dense: "head.dense", outFeatures: hiddenSize, bias: c.flag("classifier_bias", false) },
    { activation: c.text("classifier_activation", "gelu") },
    { norm: "head.norm", epsilon: c.number("norm_eps", 1e-5), bias: c.flag("norm_bias", false) },
  ];
  const dropout = { dropout: c.rate("classifier_dropout", 0) };
  return {
    mlm: {
      steps,
      out: "decoder",
      bias: c.flag("decoder_bias", true),
      tied: config.tie_word_embeddings !== false,
    },
    sequence: { pool: pooling === "mean" ? "mean" : "first", steps: [...steps, dropout], out: "classifier" },
    token: { steps: [...steps, dropout], out: "classifier" },
    span: { steps: [...steps, dropout], out: "classifier" },
    choice: { pool: pooling === "mean" ? "mean" : "first", steps: [...steps, dropout], out: "classifier" },
  };
}
