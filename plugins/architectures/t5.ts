/**
 * T5 (Raffel et al. 2020), T5 v1.1 and mT5 (Xue et al. 2021): an encoder and a decoder with one shared embedding table.
 * @module
 */
import { badValue } from "../../core/base/errors.ts";
import { activation } from "../../core/graph/activations.ts";
import { add, mul } from "../../core/graph/ops/functions.ts";
import type {
  AttentionOptions,
  Backbone,
  BackboneOutput,
  Factory,
  FamilyFacts,
  GraphBuilder,
  HeadSpec,
  Initializer,
  Json,
  Named,
  Side,
  Value,
} from "../../core/types.ts";
import {
  bucketBias,
  bucketBiasInFront,
  classificationHead,
  defineArchitecture,
  joinHeads,
  type ModelOptions,
  type Norm,
  readConfig,
  rmsNorm,
  splitHeads,
} from "../../blocks/architecture/mod.ts";

/**
 * T5 and its relatives, read from `config.json`: unscaled attention scores with a relative position bias that all
 * layers of a stack share, and RMS norms before each block.
 *
 * @example
 * ```ts
 * import { t5 } from "attune/architectures/t5";
 * console.assert(t5().modelTypes.includes("mt5"));
 * ```
 */
export const t5: Factory<"architecture", ModelOptions> = defineArchitecture({
  name: "t5",
  modelTypes: ["t5", "mt5"],
  read,
});

type Sizes = Readonly<{
  hiddenSize: number;
  numHeads: number;
  headDim: number;
  intermediateSize: number;
  norm: Norm;
  dropout: number;
  gated: boolean;
  activation: (x: Value) => Value;
  numBuckets: number;
  maxDistance: number;
  /** Factor of all initial standard deviations. */
  factor: number;
}>;

const t5Family: FamilyFacts = {
  modelType: "t5",
  classPrefix: "T5",
  keepInFp32Modules: ["wo"],
  classes: { EncoderModel: "T5EncoderModel" },
  targets: {
    attention: ["q", "v"],
    adalora: ["q", "k", "v", "o", "wi", "wo"],
    keysValues: ["k", "v"],
    feedForward: ["wo"],
    norms: ["layer_norm", "final_layer_norm"],
  },
};

const mt5Family: FamilyFacts = {
  modelType: "mt5",
  classPrefix: "MT5",
  keepInFp32Modules: ["wo"],
  classes: { EncoderModel: "MT5EncoderModel" },
  targets: {
    ...t5Family.targets,
    adalora: ["q", "k", "v", "o", "wi_0", "wi_1", "wo"],
    keysValues: ["k", "v", "wi_1"],
    feedForward: [],
  },
};

function read(config: Named<Json>): Backbone {
  const c = readConfig("t5", config);
  const multilingual = config.model_type === "mt5";
  c.only("is_decoder", false);
  const [first = "", second] = c.text("feed_forward_proj", multilingual ? "gated-gelu" : "relu").split("-");
  if (second !== undefined && first !== "gated") {
    throw badValue("t5", "config.feed_forward_proj", config.feed_forward_proj, '"relu", or "gated-" and an activation');
  }
  // "gated-gelu" has always meant the tanh approximation.
  const named = second === "gelu" ? "gelu_new" : second ?? first;
  const sizes: Sizes = {
    hiddenSize: c.count("d_model", 512),
    numHeads: c.count("num_heads", multilingual ? 6 : 8),
    headDim: c.count("d_kv", 64),
    intermediateSize: c.count("d_ff", multilingual ? 1024 : 2048),
    norm: rmsNorm(c.number("layer_norm_epsilon", 1e-6)),
    dropout: c.rate("dropout_rate", 0.1),
    gated: second !== undefined,
    activation: activation("t5", "config.feed_forward_proj", named),
    numBuckets: c.count("relative_attention_num_buckets", 32, 4),
    maxDistance: c.count("relative_attention_max_distance", 128),
    factor: c.number("initializer_factor", 1),
  };
  if (sizes.maxDistance <= sizes.numBuckets / 2) {
    const allowed = `more than ${sizes.numBuckets / 2}, half of relative_attention_num_buckets`;
    throw badValue("t5", "config.relative_attention_max_distance", sizes.maxDistance, allowed);
  }
  const { hiddenSize } = sizes;
  // T5EncoderModel, and token classifiers over it, have no decoder.
  const both = c.flag("is_encoder_decoder", true);
  const encoderLayers = c.count("num_layers", multilingual ? 8 : 6);
  const decoderLayers = config.num_decoder_layers === null
    ? encoderLayers
    : c.count("num_decoder_layers", encoderLayers);
  const vocabSize = c.count("vocab_size", multilingual ? 250112 : 32128);
  // Version 1.1 has tie_word_embeddings: false, an output layer of its own, and an unscaled input of that layer. mT5
  // never scales it, whatever its configs say. Whether tables are shared depends on the tensors in the file.
  const scales = !multilingual && c.flag("scale_decoder_outputs", c.flag("tie_word_embeddings", true));
  const classifierDropout = c.rate("classifier_dropout", 0);
  const embed = (b: GraphBuilder, side: Side): Value => {
    const options = {
      numEmbeddings: vocabSize,
      embeddingDim: hiddenSize,
      init: normal(sizes, 1),
      side,
      tied: "shared.weight",
    };
    const path = `${side === "decoder" ? "decoder" : "encoder"}.embed_tokens`;
    return b.dropout(b.embedding(path, b.stream(side).ids, options), sizes.dropout);
  };
  const decoderHeads: Named<HeadSpec> = {
    seq2seq: {
      steps: scales ? [{ scale: hiddenSize ** -0.5 }] : [],
      out: "lm_head",
      bias: false,
      tied: true,
    },
    sequence: { ...classificationHead(hiddenSize, classifierDropout), parentModule: "transformer" },
    span: { steps: [], out: "qa_outputs" },
  };
  return {
    family: multilingual ? mt5Family : t5Family,
    hiddenSize,
    numHeads: sizes.numHeads,
    numKeyValueHeads: sizes.numHeads,
    headDim: sizes.headDim,
    vocabSize,
    maxPositions: Infinity,
    baseModelPrefix: "transformer",
    wordEmbeddings: "shared",
    idle: ["shared"],
    untiedConfig: {},
    layers: [...layerPaths("encoder", encoderLayers), ...(both ? layerPaths("decoder", decoderLayers) : [])],
    heads: {
      token: { steps: [{ dropout: classifierDropout }], out: "classifier", parentModule: "transformer" },
      ...(both ? decoderHeads : {}),
    },
    initializerRange: sizes.factor * hiddenSize ** -0.5,
    ...(both ? { decoderStartTokenId: c.id("decoder_start_token_id") ?? c.id("pad_token_id") ?? 0 } : {}),
    forward: (b, { decoder } = { decoder: true }) => {
      const read = stack(b, "encoder", encoderLayers, embed(b, "input"), sizes);
      if (!both || !decoder) return read;
      const { hidden: encoder } = read;
      return { ...stack(b, "decoder", decoderLayers, embed(b, "decoder"), sizes, encoder), encoder };
    },
  };
}

function layerPaths(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}.block.${i}`);
}

function normal({ factor }: Sizes, variance: number): Initializer {
  return { normal: factor * Math.sqrt(variance) };
}

/** Runs the encoder, or the decoder over the encoder's output. */
function stack(
  b: GraphBuilder,
  name: "encoder" | "decoder",
  count: number,
  embedded: Value,
  sizes: Sizes,
  encoder?: Value,
): Pick<BackboneOutput, "hidden" | "hiddenStates"> {
  const side = name === "decoder" ? "decoder" : "input";
  const { numHeads, numBuckets, maxDistance, hiddenSize } = sizes;
  const path = `${name}.block.0.layer.0.SelfAttention.relative_attention_bias`;
  const table = { path, numHeads, numBuckets, maxDistance, init: normal(sizes, 1 / hiddenSize), side } as const;
  const bias = bucketBias(b, table);
  const all: Value[] = [embedded];
  let hidden = embedded;
  for (const path of layerPaths(name, count)) {
    const layer = (x: Value): Value => {
      const own = `${path}.layer.0`;
      const biasInFront = (positions: Value): Value => bucketBiasInFront(b, table, positions);
      const options = { causal: side === "decoder", queries: side, keys: side, bias, prefixBias: biasInFront } as const;
      x = block(b, own, x, sizes, (x) => attention(b, `${own}.SelfAttention`, path, x, x, options, sizes));
      if (encoder) {
        const cross = `${path}.layer.1`;
        x = block(b, cross, x, sizes, (x) => {
          const sides = { queries: "decoder", keys: "input" } as const;
          return attention(b, `${cross}.EncDecAttention`, `${cross}.EncDecAttention`, x, encoder, sides, sizes);
        });
      }
      const fed = `${path}.layer.${encoder ? 2 : 1}`;
      return block(b, fed, x, sizes, (x) => feedForward(b, `${fed}.DenseReluDense`, x, sizes));
    };
    hidden = b.layer(path, hidden, layer, encoder ? [encoder, bias] : [bias]);
    all.push(hidden);
  }
  hidden = b.dropout(sizes.norm(b, `${name}.final_layer_norm`, hidden, sizes.hiddenSize), sizes.dropout);
  return { hidden, hiddenStates: [...all.slice(0, -1), hidden] };
}

function block(b: GraphBuilder, path: string, x: Value, sizes: Sizes, f: (x: Value) => Value): Value {
  const added = b.sublayer(path, sizes.norm(b, `${path}.layer_norm`, x, sizes.hiddenSize), f, { residual: x });
  return add(x, b.dropout(added, sizes.dropout));
}

function attention(
  b: GraphBuilder,
  path: string,
  name: string,
  x: Value,
  from: Value,
  options: Pick<AttentionOptions, "causal" | "bias" | "prefixBias"> & Readonly<{ queries: Side; keys: Side }>,
  sizes: Sizes,
): Value {
  const { hiddenSize, numHeads, headDim, dropout } = sizes;
  const inner = numHeads * headDim;
  const project = (part: string, x: Value, variance: number, side: Side): Value =>
    splitHeads(
      b.linear(`${path}.${part}`, x, { outFeatures: inner, bias: false, init: normal(sizes, variance) }),
      numHeads,
      headDim,
      side,
    );
  const query = project("q", x, 1 / (hiddenSize * headDim), options.queries);
  const key = project("k", from, 1 / hiddenSize, options.keys);
  const value = project("v", from, 1 / hiddenSize, options.keys);
  const context = joinHeads(b.attention(name, query, key, value, { ...options, scale: 1, dropout }));
  return b.linear(`${path}.o`, context, { outFeatures: hiddenSize, bias: false, init: normal(sizes, 1 / inner) });
}

function feedForward(b: GraphBuilder, path: string, x: Value, sizes: Sizes): Value {
  const { hiddenSize, intermediateSize } = sizes;
  const wide = (name: string): Value =>
    b.linear(`${path}.${name}`, x, {
      outFeatures: intermediateSize,
      bias: false,
      init: normal(sizes, 1 / hiddenSize),
    });
  const inner = sizes.gated ? mul(sizes.activation(wide("wi_0")), wide("wi_1")) : sizes.activation(wide("wi"));
  return b.linear(`${path}.wo`, b.dropout(inner, sizes.dropout), {
    outFeatures: hiddenSize,
    bias: false,
    init: normal(sizes, 1 / intermediateSize),
  });
}
