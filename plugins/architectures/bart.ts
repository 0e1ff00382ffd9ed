/**
 * BART (Lewis et al. 2020): an encoder like BERT's, and a decoder that attends to it, usually with shared embeddings.
 * @module
 */
import { badValue } from "../../core/base/errors.ts";
import { activation } from "../../core/graph/activations.ts";
import { add } from "../../core/graph/ops/functions.ts";
import type {
  Backbone,
  BackboneOutput,
  Factory,
  FamilyFacts,
  GraphBuilder,
  Json,
  Named,
  Side,
  Value,
} from "../../core/types.ts";
import {
  classificationHead,
  defineArchitecture,
  joinHeads,
  layerNorm,
  type ModelOptions,
  readConfig,
  splitHeads,
} from "../../blocks/architecture/mod.ts";

/**
 * BART, read from `config.json`.
 *
 * @example
 * ```ts
 * import { bart } from "attune/architectures/bart";
 * console.assert(bart().modelTypes.includes("bart"));
 * ```
 */
export const bart: Factory<"architecture", ModelOptions> = defineArchitecture({ name: "bart", read });

/** Learned positions start after two unused rows. */
const POSITION_OFFSET = 2;

/** The module of the embedding table that both sides share. */
const SHARED = "model.shared";

/** Torch's default ε, which the configs do not mention. */
const norm = layerNorm(1e-5);

/** Config fields with the only supported value. */
const unbuilt: Readonly<Record<string, Json>> = {
  is_decoder: false,
  is_encoder_decoder: true,
  encoder_layerdrop: 0,
  decoder_layerdrop: 0,
  normalize_before: false,
  add_final_layer_norm: false,
  add_bias_logits: false,
  normalize_embedding: true,
  static_position_embeddings: false,
};

type Sizes = Readonly<{
  hiddenSize: number;
  activation: (x: Value) => Value;
  dropout: number;
  attentionDropout: number;
  activationDropout: number;
}>;

/** One of the two stacks. */
type Stack = Readonly<
  { name: "encoder" | "decoder"; side: Side; layers: number; numHeads: number; intermediateSize: number }
>;

const family: FamilyFacts = {
  modelType: "bart",
  classPrefix: "Bart",
  targets: {
    attention: ["q_proj", "v_proj"],
    adalora: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
    keysValues: ["q_proj", "v_proj"],
    feedForward: ["fc2"],
    norms: ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
  },
};

function read(config: Named<Json>, names: readonly string[] = []): Backbone {
  const c = readConfig("bart", config);
  for (const [field, allowed] of Object.entries(unbuilt)) c.only(field, allowed);
  const hiddenSize = c.count("d_model", 1024);
  const dropout = c.rate("dropout", 0.1);
  const sizes: Sizes = {
    hiddenSize,
    activation: activation("bart", "config.activation_function", config.activation_function ?? "gelu"),
    dropout,
    attentionDropout: c.rate("attention_dropout", 0),
    activationDropout: c.rate("activation_dropout", 0),
  };
  const stackOf = (name: Stack["name"], side: Side): Stack => ({
    name,
    side,
    layers: c.count(`${name}_layers`, 12),
    numHeads: headsOf(c.count(`${name}_attention_heads`, 16), `config.${name}_attention_heads`, hiddenSize),
    intermediateSize: c.count(`${name}_ffn_dim`, 4096),
  });
  const [encoder, decoder] = [stackOf("encoder", "input"), stackOf("decoder", "decoder")];
  const vocabSize = c.count("vocab_size", 50265);
  const maxPositions = c.count("max_position_embeddings", 1024);
  const paddingIdx = c.row("pad_token_id", vocabSize) ?? 1;
  const scale = c.flag("scale_embedding", false) ? Math.sqrt(hiddenSize) : 1;

  const tied = c.flag("tie_word_embeddings", true);
  // If not tied, each side has its own table, unless the file has only the shared one, as older versions wrote it.
  const tableOf = (name: Stack["name"]): string => {
    const path = `${name}.embed_tokens`;
    const isThere = names.length === 0 || names.some((n) => n.endsWith(`${path}.weight`));
    return !tied && isThere ? `model.${path}` : SHARED;
  };
  const embed = (b: GraphBuilder, { name, side }: Stack): Value => {
    const { ids, positions } = b.stream(side);
    const words = b.embedding(`model.${name}.embed_tokens`, ids, {
      ...(tableOf(name) === SHARED ? { tied: `${SHARED}.weight` } : {}),
      numEmbeddings: vocabSize,
      embeddingDim: hiddenSize,
      paddingIdx,
      scale,
      side,
    });
    const places = b.embedding(`model.${name}.embed_positions`, positions, {
      numEmbeddings: maxPositions + POSITION_OFFSET,
      embeddingDim: hiddenSize,
      side,
    });
    const x = add(words, places);
    return b.dropout(norm(b, `model.${name}.layernorm_embedding`, x, hiddenSize), dropout);
  };

  return {
    family,
    hiddenSize,
    numHeads: decoder.numHeads,
    numKeyValueHeads: decoder.numHeads,
    headDim: hiddenSize / decoder.numHeads,
    vocabSize,
    maxPositions,
    baseModelPrefix: "model",
    wordEmbeddings: tableOf("encoder"),
    idle: [SHARED],
    layers: [...layerPaths(encoder), ...layerPaths(decoder)],
    heads: {
      seq2seq: { steps: [], out: "lm_head", bias: false, tied, buffer: "final_logits_bias" },
      sequence: classificationHead(hiddenSize, c.rate("classifier_dropout", 0)),
      span: { steps: [], out: "qa_outputs" },
    },
    initializerRange: c.number("init_std", 0.02),
    decoderStartTokenId: c.id("decoder_start_token_id") ?? 2,
    positions: { offset: POSITION_OFFSET },
    forward: (b, sides = { decoder: true }) => {
      const read = run(b, encoder, embed(b, encoder), sizes);
      if (!sides.decoder) return read;
      return { ...run(b, decoder, embed(b, decoder), sizes, read.hidden), encoder: read.hidden };
    },
  };
}

function headsOf(count: number, field: string, hiddenSize: number): number {
  if (hiddenSize % count !== 0) throw badValue("bart", field, count, `a divisor of ${hiddenSize}`);
  return count;
}

function layerPaths({ name, layers }: Stack): string[] {
  return Array.from({ length: layers }, (_, i) => `model.${name}.layers.${i}`);
}

/** Runs the encoder, or the decoder over the encoder's output; norms follow each block. */
function run(
  b: GraphBuilder,
  stack: Stack,
  embedded: Value,
  sizes: Sizes,
  encoder?: Value,
): Pick<BackboneOutput, "hidden" | "hiddenStates"> {
  const { side } = stack;
  const { hiddenSize, dropout } = sizes;
  const all: Value[] = [embedded];
  let hidden = embedded;
  for (const path of layerPaths(stack)) {
    const block = (name: string, normed: string, x: Value, f: (x: Value) => Value): Value => {
      const normAt = (sum: Value): Value => norm(b, `${path}.${normed}`, sum, hiddenSize);
      const added = b.sublayer(`${path}.${name}`, x, (x) => b.dropout(f(x), dropout), { norm: normAt });
      return normAt(add(x, added));
    };
    const layer = (x: Value): Value => {
      const options = { causal: side === "decoder", queries: side, keys: side };
      x = block(
        "self_attn",
        "self_attn_layer_norm",
        x,
        (x) => attention(b, `${path}.self_attn`, path, x, x, options, stack, sizes),
      );
      if (encoder) {
        const cross = `${path}.encoder_attn`;
        const sides = { queries: "decoder", keys: "input" } as const;
        x = block(
          "encoder_attn",
          "encoder_attn_layer_norm",
          x,
          (x) => attention(b, cross, cross, x, encoder, sides, stack, sizes),
        );
      }
      return block("fc2", "final_layer_norm", x, (x) => {
        const inner = sizes.activation(b.linear(`${path}.fc1`, x, { outFeatures: stack.intermediateSize }));
        return b.linear(`${path}.fc2`, b.dropout(inner, sizes.activationDropout), { outFeatures: hiddenSize });
      });
    };
    hidden = b.layer(path, hidden, layer, encoder ? [encoder] : []);
    all.push(hidden);
  }
  return { hidden, hiddenStates: all };
}

function attention(
  b: GraphBuilder,
  path: string,
  name: string,
  x: Value,
  from: Value,
  options: Readonly<{ causal?: boolean; queries: Side; keys: Side }>,
  { numHeads }: Stack,
  { hiddenSize, attentionDropout }: Sizes,
): Value {
  const project = (part: string, x: Value, side: Side): Value =>
    splitHeads(b.linear(`${path}.${part}`, x, { outFeatures: hiddenSize }), numHeads, hiddenSize / numHeads, side);
  const query = project("q_proj", x, options.queries);
  const key = project("k_proj", from, options.keys);
  const value = project("v_proj", from, options.keys);
  const context = b.attention(name, query, key, value, { ...options, dropout: attentionDropout });
  return b.linear(`${path}.out_proj`, joinHeads(context), { outFeatures: hiddenSize });
}
