/** Decoders in the manner of Llama (Touvron et al. 2023). A family's file states its differences; the rest is here. */
import { badValue } from "../../core/base/errors.ts";
import { activation } from "../../core/graph/activations.ts";
import { mul, slice } from "../../core/graph/ops/functions.ts";
import type { Backbone, Factory, FamilyFacts, GraphBuilder, Json, Named, Value } from "../../core/types.ts";
import { type ConfigReader, readConfig } from "./config.ts";
import {
  asHeads,
  causalAttention,
  decode,
  type DecoderLayer,
  type Heads,
  languageHeads,
  type Part,
} from "./decoder.ts";
import { gatedFeedForward, plainFeedForward } from "./feed_forward.ts";
import { everyLayer, type LayerKind } from "./layer_kinds.ts";
import { defineArchitecture, type ModelOptions } from "./define_architecture.ts";
import { type Norm, rmsNorm } from "./norms.ts";
import { readRotary, type Rotary, type RotaryOptions, type Rotation, rotationOf } from "./rotary.ts";

/** A family of decoders: the facts about it, defaults of config fields, and its differences from Llama. */
export type DecoderFamily =
  & Omit<FamilyFacts, "modelType">
  & Readonly<{
    /** The plugin's name; also the `model_type` unless that is given. */
    name: string;
    modelType?: string;
    defaults: Named<Json>;
    /** Heads besides the language model's for which transformers has classes; absent: both. */
    heads?: readonly ("sequence" | "token")[];
    differences?: (c: ConfigReader) => DecoderDifferences;
  }>;

/** How a family differs from Llama, given its config. */
export type DecoderDifferences = Readonly<{
  norm?: Norm;
  /** Where a layer's norms are: before its parts, after them, both, or one norm before two parallel parts. */
  norms?: "before" | "after" | "both" | "parallel";
  /** Whether queries and keys are normalized, per head or all heads together. */
  queryKeyNorm?: "head" | "all" | undefined;
  bias?: Readonly<{ qkv: boolean; out: boolean; mlp: boolean }>;
  /** Whether queries, keys and values share one matrix, as do gate and up. */
  fused?: boolean;
  /** Whether the feed-forward part has no gate; its layers are then called fc1 and fc2. */
  plain?: boolean;
  /** Names of modules that differ from Llama's. */
  names?: Readonly<{ out: string; queryNorm: string; keyNorm: string; finalNorm: string }>;
  /** Rotary embeddings by name, for layer kinds to refer to; absent: one for all layers. */
  rotaries?: Named<Partial<RotaryOptions>>;
  layers?: (count: number) => readonly LayerKind[];
  /** Factor of attention scores; absent: 1 / √headDim. */
  scale?: number;
  /** The c of c · tanh(x / c), for attention scores and for logits. */
  softcaps?: Readonly<{ scores?: number | undefined; logits?: number | undefined }>;
  /**
   * Factors of the embedding rows, the first layer's input (virtual tokens too), each part's output, and the logits.
   */
  factors?: Readonly<{ embedding?: number; input?: number; residual?: number; logits?: number }>;
  dropout?: Readonly<{ embedding?: number; residual?: number }>;
  /** Whether the output layer of the language model has a bias. */
  outputBias?: boolean;
}>;

/** Defines the plugin of a family of decoders. */
export function defineDecoder(family: DecoderFamily): Factory<"architecture", ModelOptions> {
  const { name, modelType = name } = family;
  return defineArchitecture({
    name,
    modelTypes: [modelType],
    read: (config) => read({ ...family, modelType }, config),
  });
}

const llamaNames = { out: "o_proj", queryNorm: "q_norm", keyNorm: "k_norm", finalNorm: "norm" };
const noBias = { qkv: false, out: false, mlp: false };

/** Sizes and config that the layers of a model share. */
type Sizes = Readonly<{
  c: ConfigReader;
  d: DecoderDifferences;
  hiddenSize: number;
  heads: Heads;
  norm: Norm;
  activation: (x: Value) => Value;
  kinds: readonly LayerKind[];
}>;

function read(family: DecoderFamily & FamilyFacts, config: Named<Json>): Backbone {
  const { name, defaults } = family;
  const c = readConfig(name, config, { defaults });
  c.only("use_bidirectional_attention", false);
  const d = family.differences?.(c) ?? {};
  const hiddenSize = c.count("hidden_size");
  const heads = headsOf(name, c, hiddenSize);
  const vocabSize = c.count("vocab_size");
  const maxPositions = c.count("max_position_embeddings");
  const padTokenId = c.id("pad_token_id");
  const paddingIdx = c.row("pad_token_id", vocabSize);
  const norm = d.norm ?? rmsNorm(c.number("rms_norm_eps", 1e-6));
  const count = c.count("num_hidden_layers");
  const kinds = d.layers?.(count) ?? everyLayer(count, {});
  const theta = defaults.rope_theta;
  const rotaries: Named<Rotary> = Object.fromEntries(
    Object.entries(d.rotaries ?? { "": {} }).map(([key, options]) => [
      key,
      readRotary(config, {
        plugin: name,
        headDim: heads.headDim,
        maxPositions,
        ...(typeof theta === "number" ? { defaultTheta: theta } : {}),
        ...options,
      }),
    ]),
  );
  const act = config.hidden_activation ?? config.hidden_act ?? defaults.hidden_act ?? "silu";
  const sizes = { c, d, hiddenSize, heads, norm, activation: activation(name, "config.hidden_act", act), kinds };
  const styles = languageHeads(c, config, {
    bias: d.outputBias ?? false,
    token: "score",
    tied: c.flag("tie_word_embeddings", false),
    softcap: d.softcaps?.logits,
    ...(d.factors?.logits === undefined ? {} : { scale: d.factors.logits }),
  });
  const { embedding: embeddingDropout } = d.dropout ?? {};
  return {
    family,
    hiddenSize,
    ...heads,
    vocabSize,
    // Frequencies that depend on the sequence's length have no maximum length.
    maxPositions: Object.values(rotaries).some((rotary) => rotary.grows) ? Infinity : maxPositions,
    extrapolates: true,
    baseModelPrefix: "model",
    wordEmbeddings: "model.embed_tokens",
    layers: kinds.map((_, i) => `model.layers.${i}`),
    heads: Object.fromEntries(
      Object.entries(styles).filter(([key]) => key === "lm" || !family.heads || family.heads.some((h) => h === key)),
    ),
    initializerRange: c.number("initializer_range", 0.02),
    ...(padTokenId === undefined ? {} : { padTokenId }),
    ...(rotaries[""]?.long ? { ropeSwitchLength: rotaries[""].long.beyond } : {}),
    forward: (b) => {
      const { embedding: scale = 1, input = 1 } = d.factors ?? {};
      const options = { numEmbeddings: vocabSize, embeddingDim: hiddenSize, paddingIdx, scale };
      const rows = b.embedding("model.embed_tokens", b.stream().ids, options);
      const x = input === 1 ? rows : mul(rows, input);
      const rotations = Object.fromEntries(Object.entries(rotaries).map(([key, r]) => [key, rotationOf(b, r)]));
      return decode(
        b,
        embeddingDropout === undefined ? x : b.dropout(x, embeddingDropout),
        kinds.map((kind, i) => layerOf(sizes, i, kind.rotary === null ? undefined : rotations[kind.rotary ?? ""])),
        (b, x) => norm(b, `model.${(d.names ?? llamaNames).finalNorm}`, x, hiddenSize),
      );
    },
  };
}

function headsOf(plugin: string, c: ConfigReader, hiddenSize: number): Heads {
  const numHeads = c.count("num_attention_heads");
  const numKeyValueHeads = c.value("num_key_value_heads") === null
    ? numHeads
    : c.count("num_key_value_heads", numHeads);
  if (numHeads % numKeyValueHeads !== 0) {
    throw badValue(plugin, "config.num_key_value_heads", numKeyValueHeads, `a divisor of ${numHeads}`);
  }
  return { numHeads, numKeyValueHeads, headDim: c.count("head_dim", Math.floor(hiddenSize / numHeads)) };
}

function layerOf(sizes: Sizes, i: number, rotation: Rotation | undefined): DecoderLayer {
  const { d, hiddenSize, norm } = sizes;
  const path = `model.layers.${i}`;
  const where = d.norms ?? "before";
  const at = (name: string): Part => (b, x) => norm(b, `${path}.${name}`, x, hiddenSize);
  const factor = d.factors?.residual;
  const after = (name: string | undefined): Part | undefined => {
    if (name === undefined && factor === undefined) return undefined;
    return (b, x) => {
      const y = name === undefined ? x : at(name)(b, x);
      return factor === undefined ? y : mul(y, factor);
    };
  };
  const [behindAttention, behindFeedForward] = where === "both" || where === "after"
    ? [after("post_attention_layernorm"), after("post_feedforward_layernorm")]
    : [after(undefined), after(undefined)];
  const beforeFeedForward = {
    before: at("post_attention_layernorm"),
    both: at("pre_feedforward_layernorm"),
    after: asItIs,
    parallel: undefined,
  }[where];
  return {
    path,
    attentionPath: `${path}.self_attn`,
    feedForwardPath: `${path}.mlp`,
    attentionNorm: where === "after" ? asItIs : at("input_layernorm"),
    attention: (b, x) => attend(sizes, b, x, i, rotation),
    ...(behindAttention ? { attentionAfter: behindAttention } : {}),
    ...(beforeFeedForward ? { feedForwardNorm: beforeFeedForward } : {}),
    feedForward: (b, x) => feed(sizes, b, x, `${path}.mlp`),
    ...(behindFeedForward ? { feedForwardAfter: behindFeedForward } : {}),
    ...(where === "parallel" ? { parallel: true } : {}),
  };
}

const asItIs: Part = (_, x) => x;

function attend(
  { c, d, hiddenSize, heads, norm, kinds }: Sizes,
  b: GraphBuilder,
  x: Value,
  i: number,
  rotation?: Rotation,
) {
  const path = `model.layers.${i}`;
  const self = `${path}.self_attn`;
  const { numHeads, numKeyValueHeads, headDim } = heads;
  const { out, queryNorm, keyNorm } = d.names ?? llamaNames;
  const bias = d.bias ?? noBias;
  const window = kinds[i]?.window;
  const project = (name: string, count: number, normName?: string): Value => {
    const y = b.linear(`${self}.${name}`, x, { outFeatures: count * headDim, bias: bias.qkv });
    const whole = d.queryKeyNorm === "all" && normName !== undefined;
    return asHeads(whole ? norm(b, `${self}.${normName}`, y, count * headDim) : y, count, headDim);
  };
  const [q, k, v] = d.fused ? fused(b, `${self}.qkv_proj`, x, heads) : [
    project("q_proj", numHeads, queryNorm),
    project("k_proj", numKeyValueHeads, keyNorm),
    project("v_proj", numKeyValueHeads),
  ];
  const normed = (name: string, x: Value): Value =>
    d.queryKeyNorm === "head" ? norm(b, `${self}.${name}`, x, headDim) : x;
  const context = causalAttention(
    b,
    path,
    normed(queryNorm, q as Value),
    normed(keyNorm, k as Value),
    v as Value,
    heads,
    rotation,
    {
      dropout: c.rate("attention_dropout", 0),
      scale: d.scale ?? headDim ** -0.5,
      softcap: d.softcaps?.scores,
      ...(window === undefined ? {} : { window }),
    },
  );
  const y = b.linear(`${self}.${out}`, context, { outFeatures: hiddenSize, bias: bias.out });
  return b.dropout(y, d.dropout?.residual ?? 0);
}

/** Splits the output of one layer that stores queries, keys and values one after the other. */
function fused(b: GraphBuilder, path: string, x: Value, { numHeads, numKeyValueHeads, headDim }: Heads): Value[] {
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

function feed({ c, d, hiddenSize, activation }: Sizes, b: GraphBuilder, x: Value, mlp: string): Value {
  const options = {
    hiddenSize,
    intermediateSize: c.count("intermediate_size"),
    activation,
    bias: (d.bias ?? noBias).mlp,
  };
  const [gate, up] = d.fused ? ["gate_up_proj", "gate_up_proj"] : ["gate_proj", "up_proj"];
  const y = d.plain
    ? plainFeedForward(b, x, { inner: `${mlp}.fc1`, outer: `${mlp}.fc2` }, options)
    : gatedFeedForward(b, x, { gate: `${mlp}.${gate}`, up: `${mlp}.${up}`, down: `${mlp}.down_proj` }, options);
  return b.dropout(y, d.dropout?.residual ?? 0);
}
