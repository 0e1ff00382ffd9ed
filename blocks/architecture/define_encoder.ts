/** Encoders in the manner of BERT (Devlin et al. 2019). A family's file states its differences; the rest is here. */
import { badValue } from "../../core/base/errors.ts";
import { activation } from "../../core/graph/activations.ts";
import { add, cast, greater, mul, reshape } from "../../core/graph/ops/functions.ts";
import { cos, pow, sin } from "../../core/math/math.ts";
import type {
  Backbone,
  Factory,
  FamilyFacts,
  GraphBuilder,
  HeadSpec,
  Initializer,
  Json,
  Named,
  Value,
} from "../../core/types.ts";
import { type ConfigReader, readConfig } from "./config.ts";
import { encode, type EncoderOptions, type LayerPaths } from "./encoder.ts";
import { defineArchitecture, type ModelOptions } from "./define_architecture.ts";
import { layerNorm } from "./norms.ts";
import type { RelativeAttention } from "./relative.ts";

/** A family of encoders: its facts, the names of its config fields, and its differences from BERT. */
export type EncoderFamily =
  & Omit<FamilyFacts, "modelType">
  & Readonly<{
    /** The plugin's name, also its `model_type` and the prefix of its parameters' names. */
    name: string;
    /** Further model types with the same computation and parameter names: the facts that differ for each. */
    relatives?: Named<Partial<Omit<FamilyFacts, "modelType">>>;
    /** Defaults of config fields that differ from BERT's. */
    defaults?: Named<Json>;
    /** The family's names of BERT's config fields. */
    fields?: Named<string>;
    /** The ε of the layers' norms, whatever the config says. */
    epsilon?: number;
    /** The prefix of parameter names, if it is not the plugin's name. */
    prefix?: string;
    /**
     * The default of the config's padding token (`padTokenId`), or the one that is used whatever the config says
     * (`paddingIdx`); positions start after it if `positionsSkipPadding`.
     */
    padTokenId?: number;
    paddingIdx?: number;
    positionsSkipPadding?: boolean;
    /** Whether there is a table of positions; without one, rows may have any length. */
    positions?(c: ConfigReader): boolean;
    /** Terms that depend on distance, added to the attention scores. */
    relative?(c: ConfigReader, sizes: Pick<EncoderOptions, "hiddenSize" | "numHeads" | "epsilon">): RelativeAttention;
    /** Whether padding has no embeddings and attends equally to every position. */
    uniformPadding?: boolean;
    /** Whether tokens have types (segments). */
    tokenTypes?: boolean;
    /** The layer from `embedding_size` to the hidden size: `"always"` there, or only if the sizes differ. */
    projection?: Readonly<{ path: string; always: boolean }>;
    /** Dropout besides that of the embeddings and the attention. */
    dropsProjection?: boolean;
    dropsFeedForward?: boolean;
    /** Layers in the order of computation; a layer may occur several times. */
    layers(count: number, c: ConfigReader): EncoderOptions["layers"];
    heads(c: ConfigReader, sizes: HeadSizes): Named<HeadSpec>;
  }>;

/** Sizes that heads are made from. `classifierDropout`: the config's, or else that of hidden states. */
export type HeadSizes = Readonly<
  { hiddenSize: number; hiddenDropout: number; classifierDropout: number; epsilon: number; tied: boolean }
>;

/** BERT's first checkpoints call a norm's weight gamma and its bias beta. */
const oldNorms = [[/LayerNorm\.weight$/, "LayerNorm.gamma"], [/LayerNorm\.bias$/, "LayerNorm.beta"]] as const;

/** Defines the plugin of a family of encoders. */
export function defineEncoder(family: EncoderFamily): Factory<"architecture", ModelOptions> {
  const { name, relatives = {} } = family;
  return defineArchitecture({
    name,
    modelTypes: [name, ...Object.keys(relatives)],
    read: (config) => {
      const { model_type: type = name } = config;
      const modelType = typeof type === "string" && Object.hasOwn(relatives, type) ? type : name;
      return read({ savedNames: oldNorms, ...family, ...relatives[modelType], modelType }, config);
    },
  });
}

const bertDefaults: Named<Json> = {
  hidden_size: 768,
  num_attention_heads: 12,
  num_hidden_layers: 12,
  intermediate_size: 3072,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  hidden_act: "gelu",
  vocab_size: 30522,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  embedding_size: 128,
};

function read(family: EncoderFamily & FamilyFacts, config: Named<Json>): Backbone {
  const { name, prefix = name, fields = {}, projection } = family;
  const c = readConfig(name, config, { defaults: { ...bertDefaults, ...family.defaults }, fields });
  c.only("position_embedding_type", "absolute");
  c.only("is_decoder", false);
  c.only("add_cross_attention", false);
  const hiddenSize = c.count("hidden_size");
  const numHeads = c.count("num_attention_heads");
  if (hiddenSize % numHeads !== 0) {
    throw badValue(
      name,
      `config.${fields.num_attention_heads ?? "num_attention_heads"}`,
      numHeads,
      `a divisor of ${hiddenSize}`,
    );
  }
  const hiddenDropout = c.rate("hidden_dropout_prob");
  const epsilon = family.epsilon ?? c.number("layer_norm_eps", 1e-12);
  const encoder: EncoderOptions = {
    hiddenSize,
    numHeads,
    intermediateSize: c.count("intermediate_size"),
    epsilon,
    relative: family.relative?.(c, { hiddenSize, numHeads, epsilon }),
    uniformPadding: family.uniformPadding,
    activation: activation(name, `config.${fields.hidden_act ?? "hidden_act"}`, c.text("hidden_act")),
    attentionDropout: c.rate("attention_probs_dropout_prob"),
    projectionDropout: family.dropsProjection === false ? 0 : hiddenDropout,
    feedForwardDropout: family.dropsFeedForward === false ? 0 : hiddenDropout,
    layers: family.layers(c.count("num_hidden_layers"), c),
  };
  const vocabSize = c.count("vocab_size");
  const padId = family.paddingIdx ?? c.row("pad_token_id", vocabSize) ?? family.padTokenId ?? 0;
  const embeddingSize = projection ? c.count("embedding_size") : hiddenSize;
  const maxPositions = c.count("max_position_embeddings");
  const offset = family.positionsSkipPadding ? padId + 1 : 0;
  const hasPositions = family.positions?.(c) ?? true;
  const dropout = c.value("classifier_dropout");
  const sizes: HeadSizes = {
    hiddenSize,
    hiddenDropout,
    classifierDropout: dropout === undefined || dropout === null ? hiddenDropout : c.rate("classifier_dropout"),
    epsilon,
    tied: config.tie_word_embeddings !== false,
  };
  const embeddings = {
    vocabSize,
    embeddingSize,
    padId,
    types: family.tokenTypes === false ? 0 : c.count("type_vocab_size", 2, 0),
    maxPositions: hasPositions ? maxPositions : undefined,
    uniformPadding: family.uniformPadding ?? false,
    positionsSkipPadding: family.positionsSkipPadding ?? false,
    firstPositions: c.flag("sinusoidal_pos_embds", false) ? sinusoids(maxPositions, embeddingSize) : undefined,
    epsilon,
    dropout: hiddenDropout,
  };
  return {
    family,
    hiddenSize,
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: hiddenSize / numHeads,
    vocabSize,
    maxPositions: maxPositions - offset,
    extrapolates: !hasPositions,
    baseModelPrefix: prefix,
    wordEmbeddings: `${prefix}.embeddings.word_embeddings`,
    layers: encoder.layers.map((l) => l.path),
    heads: family.heads(c, sizes),
    initializerRange: c.number("initializer_range", 0.02),
    positions: family.positionsSkipPadding ? { offset, skip: padId } : undefined,
    forward: (b) => {
      const x = embed(b, `${prefix}.embeddings`, embeddings);
      const projects = projection && (projection.always || embeddingSize !== hiddenSize);
      return encode(b, projects ? b.linear(projection.path, x, { outFeatures: hiddenSize }) : x, encoder);
    },
  };
}

type Embeddings = Readonly<{
  vocabSize: number;
  embeddingSize: number;
  padId: number;
  types: number;
  maxPositions: number | undefined;
  positionsSkipPadding: boolean;
  uniformPadding: boolean;
  firstPositions: Initializer | undefined;
  epsilon: number;
  dropout: number;
}>;

/** Adds word, type and position embeddings, then applies norm and dropout. */
function embed(b: GraphBuilder, root: string, o: Embeddings): Value {
  const stream = b.stream();
  const table = (name: string, ids: Value, numEmbeddings: number, paddingIdx?: number, init?: Initializer): Value =>
    b.embedding(`${root}.${name}`, ids, { numEmbeddings, embeddingDim: o.embeddingSize, paddingIdx, init });
  let x = table("word_embeddings", stream.ids, o.vocabSize, o.padId);
  if (o.types > 0) {
    x = add(x, table("token_type_embeddings", b.input("token_type_ids", "int32", ["batch", "seq"]), o.types));
  }
  const unused = o.positionsSkipPadding ? o.padId : undefined;
  if (o.maxPositions !== undefined) {
    x = add(x, table("position_embeddings", stream.positions, o.maxPositions, unused, o.firstPositions));
  }
  x = layerNorm(o.epsilon)(b, `${root}.LayerNorm`, x, o.embeddingSize);
  if (o.uniformPadding) x = mul(x, cast(greater(reshape(stream.segments, ["batch*seq", 1]), 0), "float32"));
  return b.dropout(x, o.dropout);
}

/** Sines and cosines of the positions (Vaswani et al. 2017), as initial values of a table of positions. */
function sinusoids(positions: number, width: number): Initializer {
  const at = (position: number, i: number): number => position / pow(10000, (i - (i % 2)) / width);
  const data = Float32Array.from({ length: positions * width }, (_, k) => {
    const i = k % width;
    return (i % 2 === 0 ? sin : cos)(at(Math.floor(k / width), i));
  });
  return () => Promise.resolve(data);
}

/** Returns BERT's layers under a model's name; `projections`: the names of the attention's projections. */
export function bertLayers(
  name: string,
  projections: Readonly<Record<"query" | "key" | "value", string>> = { query: "query", key: "key", value: "value" },
): EncoderFamily["layers"] {
  return (count) =>
    Array.from({ length: count }, (_, i) => {
      const path = `${name}.encoder.layer.${i}`;
      return { path, paths: bertPaths(path, projections) };
    });
}

function bertPaths(
  path: string,
  { query, key, value }: Readonly<Record<"query" | "key" | "value", string>>,
): LayerPaths {
  return {
    query: `${path}.attention.self.${query}`,
    key: `${path}.attention.self.${key}`,
    value: `${path}.attention.self.${value}`,
    attentionOut: `${path}.attention.output.dense`,
    attentionNorm: `${path}.attention.output.LayerNorm`,
    intermediate: `${path}.intermediate.dense`,
    output: `${path}.output.dense`,
    outputNorm: `${path}.output.LayerNorm`,
  };
}
