/**
 * Llama (Touvron et al. 2023) and the decoders made in its manner: Mistral, Qwen2, Qwen3, Gemma 2 and 3, Phi, Phi-3. What
 * differs is which norms there are, how weights are stored, how far a layer sees, and names.
 * @module
 */
import * as v from "valibot";
import { activation } from "../../core/graph/activations.ts";
import { define } from "../../core/define.ts";
import { badValue, unsupported } from "../../core/errors.ts";
import { slice } from "../../core/graph/functions.ts";
import type { Architecture, Build, Factory, Json, Named, Value } from "../../core/types.ts";
import { type ConfigReader, readConfig } from "./config.ts";
import { asHeads, causalAttention, decode, type DecoderLayer, languageHeads, type Part } from "./decoder.ts";
import { gatedFeedForward, plainFeedForward } from "./feed_forward.ts";
import { layerNorm, type Norm, rmsNorm } from "./norms.ts";
import { readRotary, type Rotary, type Rotation, rotationOf } from "./rotary.ts";

/** No options: everything is in the checkpoint's config. */
export type LlamaOptions = Readonly<Record<never, never>>;

/** Schema of {@link LlamaOptions}. */
export const llamaSchema: v.GenericSchema<LlamaOptions, LlamaOptions> = v.strictObject({});

const families = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi", "phi3"] as const;
type Family = (typeof families)[number];

/**
 * Llama's family, read from `config.json` by `model_type`.
 *
 * @example
 * ```ts
 * import { llama } from "attune/models/llama";
 * console.assert(llama().modelTypes.includes("qwen3"));
 * ```
 */
export const llama: Factory<"model", LlamaOptions> = define({
  kind: "model",
  name: "llama",
  schema: llamaSchema,
  create: () => ({ modelTypes: families, read }),
});

/** Defaults of the families' configs that matter where a config leaves a field out. */
const defaults: Readonly<Record<Family, Readonly<Record<string, number>>>> = {
  llama: { vocab_size: 32000, hidden_size: 4096, intermediate_size: 11008, layers: 32, heads: 32, positions: 2048 },
  mistral: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 14336,
    layers: 32,
    heads: 32,
    key_heads: 8,
    positions: 131072,
    sliding_window: 4096,
  },
  qwen2: { vocab_size: 151936, hidden_size: 4096, intermediate_size: 22016, layers: 32, heads: 32, positions: 32768 },
  qwen3: {
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    layers: 32,
    heads: 32,
    head_dim: 128,
    positions: 32768,
  },
  gemma2: {
    vocab_size: 256000,
    hidden_size: 2304,
    intermediate_size: 9216,
    layers: 26,
    heads: 8,
    key_heads: 4,
    head_dim: 256,
    positions: 8192,
    pad: 0,
  },
  gemma3_text: {
    vocab_size: 262208,
    hidden_size: 2304,
    intermediate_size: 9216,
    layers: 26,
    heads: 8,
    key_heads: 4,
    head_dim: 256,
    positions: 131072,
    pad: 0,
  },
  phi: { vocab_size: 51200, hidden_size: 2048, intermediate_size: 8192, layers: 24, heads: 32, positions: 2048 },
  phi3: {
    vocab_size: 32064,
    hidden_size: 3072,
    intermediate_size: 8192,
    layers: 32,
    heads: 32,
    positions: 4096,
    pad: 32000,
  },
};

function read(config: Named<Json>): Architecture {
  const family = families.find((name) => name === config.model_type);
  if (!family) throw badValue("llama", "config.model_type", config.model_type, `one of ${families.join(", ")}`);
  const c = readConfig("llama", config);
  const own = defaults[family];
  const gemma = family === "gemma2" || family === "gemma3_text";
  c.only("use_bidirectional_attention", false);
  if (family === "gemma3_text") c.only("attn_logit_softcapping", null);
  const hiddenSize = c.count("hidden_size", own.hidden_size);
  const numHeads = c.count("num_attention_heads", own.heads);
  const numKeyValueHeads = keyHeads(c, config, own.key_heads, numHeads);
  const headDim = c.count("head_dim", own.head_dim ?? Math.floor(hiddenSize / numHeads));
  const heads = { numHeads, numKeyValueHeads, headDim };
  const vocabSize = c.count("vocab_size", own.vocab_size);
  const maxPositions = c.count("max_position_embeddings", own.positions);
  const padTokenId = "pad_token_id" in config ? c.id("pad_token_id") : own.pad;
  const paddingIdx = "pad_token_id" in config ? c.row("pad_token_id", vocabSize) : own.pad;
  const norm: Norm = family === "phi"
    ? layerNorm(c.number("layer_norm_eps", 1e-5))
    : rmsNorm(c.number("rms_norm_eps", family === "phi3" ? 1e-5 : 1e-6), gemma ? 1 : 0);
  const at = (path: string, size = hiddenSize): Part => (b, x) => norm(b, path, x, size);
  const types = layerTypes(family, c, config, c.count("num_hidden_layers", own.layers));
  const rotaryOf = (layerType?: string): Rotary =>
    readRotary(config, {
      plugin: "llama",
      headDim,
      maxPositions,
      ...(family === "phi" ? { partial: 0.5 } : {}),
      ...(layerType === undefined ? {} : { layerType }),
      ...(layerType === "sliding_attention" ? { theta: "rope_local_base_freq", scaling: null } : {}),
      ...(layerType === "full_attention" ? { defaultTheta: 1e6 } : {}),
    });
  const rotaries: Readonly<Record<string, Rotary>> = family === "gemma3_text"
    ? Object.fromEntries(["full_attention", "sliding_attention"].map((type) => [type, rotaryOf(type)]))
    : { "": rotaryOf() };
  const act = activation(
    "llama",
    "config.hidden_act",
    config.hidden_activation ?? config.hidden_act ?? defaultAct(family),
  );
  const residual = family === "phi" || family === "phi3" ? c.rate("resid_pdrop", 0) : 0;
  const attention = {
    dropout: c.rate("attention_dropout", 0),
    scale: (gemma ? c.number("query_pre_attn_scalar", 256) : headDim) ** -0.5,
    ...(family === "gemma2" ? { softcap: optional(config, "attn_logit_softcapping", 50, c) } : {}),
  };
  const bias = biases(family, c);
  const fed = { hiddenSize, intermediateSize: c.count("intermediate_size", own.intermediate_size), activation: act };
  const normsHeads = family === "qwen3" || family === "gemma3_text" ||
    (family === "phi" && c.flag("qk_layernorm", false));

  const layerOf = (b: Build, i: number, rotations: Named<Rotation>): DecoderLayer => {
    const path = `model.layers.${i}`;
    const self = `${path}.self_attn`;
    const mlp = `${path}.mlp`;
    const type = types.of[i] ?? "full_attention";
    const window = type === "sliding_attention" ? { window: types.window } : {};
    const normed = (name: string, x: Value): Value =>
      normsHeads ? norm(b, `${self}.${name}_${family === "phi" ? "layernorm" : "norm"}`, x, headDim) : x;
    return {
      path,
      attentionPath: self,
      feedForwardPath: mlp,
      attentionNorm: at(`${path}.input_layernorm`),
      attention: (b, x) => {
        const [q, k, v] = family === "phi3" ? fused(b, `${self}.qkv_proj`, x, heads) : ["q", "k", "v"].map((name) => {
          const count = name === "q" ? numHeads : numKeyValueHeads;
          const y = b.linear(`${self}.${name}_proj`, x, { outFeatures: count * headDim, bias: bias.qkv });
          return asHeads(y, count, headDim);
        });
        const rotation = rotations[type] ?? rotations[""];
        const context = causalAttention(
          b,
          path,
          normed("q", q as Value),
          normed("k", k as Value),
          v as Value,
          heads,
          rotation,
          { ...attention, ...window },
        );
        const out = family === "phi" ? "dense" : "o_proj";
        return b.dropout(b.linear(`${self}.${out}`, context, { outFeatures: hiddenSize, bias: bias.out }), residual);
      },
      feedForward: (b, x) => {
        const options = { ...fed, bias: bias.mlp };
        const y = family === "phi"
          ? plainFeedForward(b, x, { inner: `${mlp}.fc1`, outer: `${mlp}.fc2` }, options)
          : gatedFeedForward(b, x, gatedPaths(family, mlp), options);
        return b.dropout(y, residual);
      },
      ...(gemma
        ? {
          attentionAfter: at(`${path}.post_attention_layernorm`),
          feedForwardNorm: at(`${path}.pre_feedforward_layernorm`),
          feedForwardAfter: at(`${path}.post_feedforward_layernorm`),
        }
        : family === "phi"
        ? { parallel: true }
        : { feedForwardNorm: at(`${path}.post_attention_layernorm`) }),
    };
  };

  return {
    hiddenSize,
    ...heads,
    vocabSize,
    // Angles that grow with a sequence have no end.
    maxPositions: Object.values(rotaries).some((rotary) => rotary.grows) ? Infinity : maxPositions,
    goesBeyond: true,
    baseModelPrefix: "model",
    wordEmbeddings: "model.embed_tokens",
    layers: types.of.map((_, i) => `model.layers.${i}`),
    heads: languageHeads(c, config, {
      bias: family === "phi",
      token: "score",
      tied: c.flag("tie_word_embeddings", gemma),
      ...(gemma
        ? { softcap: optional(config, "final_logit_softcapping", family === "gemma2" ? 30 : undefined, c) }
        : {}),
    }),
    initializerRange: c.number("initializer_range", 0.02),
    ...(padTokenId === undefined ? {} : { padTokenId }),
    ...(rotaries[""]?.long ? { anglesChangeAt: rotaries[""].long.beyond } : {}),
    forward: (b) => {
      const scale = gemma ? Math.sqrt(hiddenSize) : 1;
      const options = { numEmbeddings: vocabSize, embeddingDim: hiddenSize, paddingIdx, scale };
      const x = b.embedding("model.embed_tokens", b.stream().ids, options);
      const rotations = Object.fromEntries(Object.entries(rotaries).map(([type, r]) => [type, rotationOf(b, r)]));
      return decode(
        b,
        family === "phi" ? b.dropout(x, c.rate("embd_pdrop", 0)) : x,
        types.of.map((_, i) => layerOf(b, i, rotations)),
        at(family === "phi" ? "model.final_layernorm" : "model.norm"),
      );
    },
  };
}

function defaultAct(family: Family): string {
  return family.startsWith("gemma") ? "gelu_pytorch_tanh" : family === "phi" ? "gelu_new" : "silu";
}

function keyHeads(c: ConfigReader, config: Named<Json>, fallback: number | undefined, numHeads: number): number {
  const given = config.num_key_value_heads === null ? numHeads : c.count("num_key_value_heads", fallback ?? numHeads);
  if (numHeads % given !== 0) {
    throw badValue("llama", "config.num_key_value_heads", given, `a divisor of ${numHeads}`);
  }
  return given;
}

/** A number that null turns off. */
function optional(
  config: Named<Json>,
  name: string,
  fallback: number | undefined,
  c: ConfigReader,
): number | undefined {
  const given = name in config ? config[name] : fallback;
  return given === null || given === undefined ? undefined : c.number(name, fallback);
}

function biases(family: Family, c: ConfigReader): Readonly<{ qkv: boolean; out: boolean; mlp: boolean }> {
  if (family === "phi") return { qkv: true, out: true, mlp: true };
  if (family === "qwen2") return { qkv: true, out: false, mlp: false };
  if (family === "mistral" || family === "phi3") return { qkv: false, out: false, mlp: false };
  const attention = c.flag("attention_bias", false);
  return { qkv: attention, out: attention, mlp: family === "llama" && c.flag("mlp_bias", false) };
}

function gatedPaths(family: Family, mlp: string): Readonly<{ gate: string; up: string; down: string }> {
  const down = `${mlp}.down_proj`;
  return family === "phi3"
    ? { gate: `${mlp}.gate_up_proj`, up: `${mlp}.gate_up_proj`, down }
    : { gate: `${mlp}.gate_proj`, up: `${mlp}.up_proj`, down };
}

/** Queries, keys and values stored one after the other in one layer. */
function fused(
  b: Build,
  path: string,
  x: Value,
  { numHeads, numKeyValueHeads, headDim }: Readonly<{ numHeads: number; numKeyValueHeads: number; headDim: number }>,
): Value[] {
  const all = asHeads(
    b.linear(path, x, { outFeatures: (numHeads + 2 * numKeyValueHeads) * headDim, bias: false }),
    numHeads + 2 * numKeyValueHeads,
    headDim,
  );
  return [
    slice(all, 2, 0, numHeads),
    slice(all, 2, numHeads, numHeads + numKeyValueHeads),
    slice(all, 2, numHeads + numKeyValueHeads, null),
  ];
}

/** Which layers see a window only, and its width. */
function layerTypes(
  family: Family,
  c: ConfigReader,
  config: Named<Json>,
  count: number,
): Readonly<{ of: readonly string[]; window: number }> {
  const all = (type: (i: number) => boolean): string[] =>
    Array.from({ length: count }, (_, i) => (type(i) ? "sliding_attention" : "full_attention"));
  const width = config.sliding_window;
  const switched = family === "qwen2" || family === "qwen3";
  const gemma = family === "gemma2" || family === "gemma3_text";
  const sees = family === "llama" || family === "phi" || (switched && !c.flag("use_sliding_window", false)) ||
    (width === null && !gemma) || (width === undefined && family === "phi3");
  if (sees) return { of: all(() => false), window: 0 };
  // Gemma 3's types of layers matter without a window, too: their angles differ.
  const window = width === null ? 0 : c.count("sliding_window", 4096);
  const given = config.layer_types;
  if (Array.isArray(given) && (gemma || switched)) {
    if (given.length !== count) throw badValue("llama", "config.layer_types", given.length, `${count} layers`);
    const odd = given.find((type) => type !== "full_attention" && type !== "sliding_attention");
    if (odd !== undefined) {
      throw unsupported("llama", "config.layer_types", odd, "only full_attention and sliding_attention are");
    }
    return { of: given as string[], window };
  }
  if (family === "gemma2") return { of: all((i) => i % 2 === 0), window };
  if (family === "gemma3_text") {
    const pattern = c.count("_sliding_window_pattern", c.count("sliding_window_pattern", 6));
    return { of: all((i) => (i + 1) % pattern !== 0), window };
  }
  if (switched) {
    const from = c.count("max_window_layers", 28, 0);
    return { of: all((i) => i >= from), window };
  }
  return { of: all(() => true), window };
}
