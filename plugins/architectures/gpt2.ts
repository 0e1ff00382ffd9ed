/**
 * GPT-2 (Radford et al. 2019).
 * @module
 */
import { activation } from "../../core/graph/activations.ts";
import { badValue } from "../../core/base/errors.ts";
import { add, slice } from "../../core/graph/ops/functions.ts";
import type { Backbone, Factory, FamilyFacts, GraphBuilder, Json, Named } from "../../core/types.ts";
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
} from "../../blocks/architecture/mod.ts";

/**
 * GPT-2: learned positions, weights stored [in, out].
 *
 * @example
 * ```ts
 * import { gpt2 } from "attune/architectures/gpt2";
 * console.assert(gpt2().modelTypes.includes("gpt2"));
 * ```
 */
export const gpt2: Factory<"architecture", ModelOptions> = defineArchitecture({ name: "gpt2", read });

const family: FamilyFacts = {
  modelType: "gpt2",
  classPrefix: "GPT2",
  classes: { ForCausalLM: "GPT2LMHeadModel" },
  targets: {
    attention: ["c_attn"],
    keysValues: ["c_attn"],
    feedForward: ["mlp.c_proj"],
    norms: ["ln_1", "ln_2", "ln_f"],
  },
  noDecay: layerNorms,
};

function read(config: Named<Json>): Backbone {
  const c = readConfig("gpt2", config);
  c.only("add_cross_attention", false);
  const hiddenSize = c.count("n_embd", 768);
  const numHeads = c.count("n_head", 12);
  if (hiddenSize % numHeads !== 0) throw badValue("gpt2", "config.n_head", numHeads, `a divisor of ${hiddenSize}`);
  const headDim = hiddenSize / numHeads;
  const heads = { numHeads, numKeyValueHeads: numHeads, headDim };
  const vocabSize = c.count("vocab_size", 50257);
  const maxPositions = c.count("n_positions", 1024);
  const numLayers = c.count("n_layer", 12);
  const padTokenId = c.id("pad_token_id");
  const fed = {
    hiddenSize,
    intermediateSize: c.count("n_inner", 4 * hiddenSize),
    activation: activation("gpt2", "config.activation_function", config.activation_function ?? "gelu_new"),
    bias: true,
    conv1d: true,
  };
  const [embdDropout, attnDropout, residDropout] = [
    c.rate("embd_pdrop", 0.1),
    c.rate("attn_pdrop", 0.1),
    c.rate("resid_pdrop", 0.1),
  ];
  const scale = c.flag("scale_attn_weights", true) ? headDim ** -0.5 : 1;
  const byLayer = c.flag("scale_attn_by_inverse_layer_idx", false);
  const norm = layerNorm(c.number("layer_norm_epsilon", 1e-5));
  const at = (path: string): Part => (b, x) => norm(b, path, x, hiddenSize);

  const layerOf = (i: number): DecoderLayer => {
    const path = `transformer.h.${i}`;
    return {
      path,
      attentionPath: `${path}.attn`,
      feedForwardPath: `${path}.mlp`,
      attentionNorm: at(`${path}.ln_1`),
      attention: (b, x) => {
        const all = asHeads(
          b.linear(`${path}.attn.c_attn`, x, { outFeatures: 3 * hiddenSize, conv1d: true }),
          3 * numHeads,
          headDim,
        );
        const part = (k: number) => slice(all, 2, k * numHeads, (k + 1) * numHeads);
        const options = { dropout: attnDropout, scale: byLayer ? scale / (i + 1) : scale };
        const context = causalAttention(b, path, part(0), part(1), part(2), heads, undefined, options);
        const y = b.linear(`${path}.attn.c_proj`, context, { outFeatures: hiddenSize, conv1d: true });
        return b.dropout(y, residDropout);
      },
      feedForwardNorm: at(`${path}.ln_2`),
      feedForward: (b, x) => {
        const paths = { inner: `${path}.mlp.c_fc`, outer: `${path}.mlp.c_proj` };
        return b.dropout(plainFeedForward(b, x, paths, fed), residDropout);
      },
    };
  };

  return {
    family,
    hiddenSize,
    ...heads,
    vocabSize,
    maxPositions,
    baseModelPrefix: "transformer",
    wordEmbeddings: "transformer.wte",
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
      const { ids, positions } = b.stream();
      const embedded = add(
        b.embedding("transformer.wte", ids, { numEmbeddings: vocabSize, embeddingDim: hiddenSize }),
        b.embedding("transformer.wpe", positions, { numEmbeddings: maxPositions, embeddingDim: hiddenSize }),
      );
      const layers = Array.from({ length: numLayers }, (_, i) => layerOf(i));
      return decode(b, b.dropout(embedded, embdDropout), layers, at("transformer.ln_f"));
    },
  };
}
