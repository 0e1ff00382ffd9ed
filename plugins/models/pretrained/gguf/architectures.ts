/** Architectures of GGUF files: names of their tensors, changes to them, and their config. */
import { unsupported } from "../../../../core/base/errors.ts";
import type { Json, Named } from "../../../../core/types.ts";
import { anglesOf, decimal } from "./angles.ts";
import { type Change, groupsOfHeads, halvesOfPairs, minusOne, transposed } from "./changes.ts";
import type { GgufFields } from "./metadata.ts";

/** Names of GGUF tensors here: one, or several that share the rows of one tensor. */
export type Names = Readonly<Record<string, string | readonly string[]>>;

/** An architecture. Parts have the file's names, without the prefix `blk.N.` and the suffix `.weight`. */
export interface GgufArchitecture {
  /** Names of tensors outside of layers. */
  readonly names: Names;
  /** The path of the layers, and the names within each. */
  readonly layers: string;
  readonly inLayer: Names;
  /** Returns the change to a part, if there is one. */
  change?(part: string, end: string, fields: GgufFields): Change | undefined;
  /** Returns config.json without the fields of all architectures. */
  config(fields: GgufFields): Promise<Named<Json>> | Named<Json>;
}

/** Tensors computed from the config, which are not weights here. */
export const unread: ReadonlySet<string> = new Set(["rope_freqs", "rope_factors_long", "rope_factors_short"]);

const heads = (fields: GgufFields): number => fields.number("attention.head_count");
const keyHeads = (fields: GgufFields): number => fields.number("attention.head_count_kv", heads(fields));

/** Returns the dimensions of decoders in the manner of Llama. */
async function decoderConfig(fields: GgufFields): Promise<Record<string, Json>> {
  const [hidden, queries] = [fields.number("embedding_length"), heads(fields)];
  const rows = fields.rows("blk.0.attn_q.weight");
  const headDim = rows === undefined ? fields.number("attention.key_length", hidden / queries) : rows / queries;
  const rotated = fields.number("rope.dimension_count", headDim);
  const epsilon = fields.optional("attention.layer_norm_rms_epsilon");
  return {
    hidden_size: hidden,
    intermediate_size: fields.number("feed_forward_length"),
    num_hidden_layers: fields.number("block_count"),
    num_attention_heads: queries,
    num_key_value_heads: keyHeads(fields),
    head_dim: headDim,
    max_position_embeddings: fields.number("context_length"),
    ...(epsilon === undefined ? {} : { rms_norm_eps: decimal(epsilon) }),
    rope_theta: fields.number("rope.freq_base", 10000),
    ...(rotated === headDim ? {} : { partial_rotary_factor: rotated / headDim }),
    ...await anglesOf(fields),
  };
}

const decoder: Pick<GgufArchitecture, "names" | "layers"> & Readonly<{ inLayer: Readonly<Record<string, string>> }> = {
  names: { token_embd: "model.embed_tokens", output_norm: "model.norm", output: "lm_head" },
  layers: "model.layers",
  inLayer: {
    attn_norm: "input_layernorm",
    attn_q: "self_attn.q_proj",
    attn_k: "self_attn.k_proj",
    attn_v: "self_attn.v_proj",
    attn_output: "self_attn.o_proj",
    ffn_norm: "post_attention_layernorm",
    ffn_gate: "mlp.gate_proj",
    ffn_up: "mlp.up_proj",
    ffn_down: "mlp.down_proj",
  },
};
const headNorms = { attn_q_norm: "self_attn.q_norm", attn_k_norm: "self_attn.k_norm" };

const llama: GgufArchitecture = {
  ...decoder,
  // The converter reorders queries and keys to rotary pairs.
  change: (part, _end, fields) =>
    part === "attn_q" ? halvesOfPairs(heads(fields)) : part === "attn_k" ? halvesOfPairs(keyHeads(fields)) : undefined,
  config: async (fields) => {
    const [attention, out] = [fields.has("blk.0.attn_q.bias"), fields.has("blk.0.attn_output.bias")];
    if (attention !== out) {
      throw unsupported(
        "pretrained",
        "blk.0.attn_q.bias",
        attention,
        "llama needs biases on all of attention or on none",
      );
    }
    return {
      ...await decoderConfig(fields),
      model_type: "llama",
      architectures: ["LlamaForCausalLM"],
      attention_bias: attention,
      mlp_bias: fields.has("blk.0.ffn_gate.bias"),
    };
  },
};

const configNamed = (model_type: string, name: string, more: Named<Json> = {}) => async (fields: GgufFields) => ({
  ...await decoderConfig(fields),
  model_type,
  architectures: [`${name}ForCausalLM`],
  ...more,
});

const gemmaLayer: Names = {
  ...decoder.inLayer,
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};

/** Gemma, whose norms are stored with 1 added. `largest`: the layer count of the size with another scale of scores. */
function gemma(
  name: string,
  largest: number,
  inLayer: Names,
  more: (fields: GgufFields) => Named<Json>,
): GgufArchitecture {
  return {
    ...decoder,
    inLayer,
    change: (part) => part.endsWith("norm") ? minusOne : undefined,
    config: async (fields) => {
      const decoder = await decoderConfig(fields);
      const perHead = fields.number("embedding_length") / heads(fields);
      const softcap = fields.optional("final_logit_softcapping");
      return {
        ...decoder,
        hidden_activation: "gelu_pytorch_tanh",
        query_pre_attn_scalar: fields.number("block_count") === largest ? perHead : decoder.head_dim ?? perHead,
        final_logit_softcapping: softcap ?? null,
        sliding_window: fields.number("attention.sliding_window", 4096),
        architectures: [`${name}ForCausalLM`],
        ...more(fields),
      };
    },
  };
}

const gpt2: GgufArchitecture = {
  names: {
    token_embd: "transformer.wte",
    position_embd: "transformer.wpe",
    output_norm: "transformer.ln_f",
    output: "lm_head",
  },
  layers: "transformer.h",
  inLayer: {
    attn_norm: "ln_1",
    attn_qkv: "attn.c_attn",
    attn_output: "attn.c_proj",
    ffn_norm: "ln_2",
    ffn_up: "mlp.c_fc",
    ffn_down: "mlp.c_proj",
  },
  change: (part, end) =>
    end === "weight" && ["attn_qkv", "attn_output", "ffn_up", "ffn_down"].includes(part) ? transposed : undefined,
  config: (fields) => ({
    model_type: "gpt2",
    architectures: ["GPT2LMHeadModel"],
    n_embd: fields.number("embedding_length"),
    n_inner: fields.number("feed_forward_length"),
    n_layer: fields.number("block_count"),
    n_head: heads(fields),
    n_positions: fields.rows("position_embd.weight") ?? fields.number("context_length"),
    layer_norm_epsilon: decimal(fields.number("attention.layer_norm_epsilon")),
    activation_function: "gelu_new",
  }),
};

/** Falcon's old and new layouts; of two norms the second is attention's. */
const falcon = (two: boolean): GgufArchitecture => ({
  names: {
    token_embd: "transformer.word_embeddings",
    output_norm: "transformer.ln_f",
    output: "lm_head",
  },
  layers: "transformer.h",
  inLayer: {
    attn_norm: two ? "ln_mlp" : "input_layernorm",
    attn_norm_2: "ln_attn",
    attn_qkv: "self_attention.query_key_value",
    attn_output: "self_attention.dense",
    ffn_up: "mlp.dense_h_to_4h",
    ffn_down: "mlp.dense_4h_to_h",
  },
  change: (part, _end, fields) => part === "attn_qkv" ? groupsOfHeads(heads(fields), keyHeads(fields)) : undefined,
  config: async (fields) => {
    const keys = keyHeads(fields);
    // Old models have one key head, or one for each query head.
    const grouped = two || (keys > 1 && keys < heads(fields));
    return {
      model_type: "falcon",
      architectures: ["FalconForCausalLM"],
      hidden_size: fields.number("embedding_length"),
      ffn_hidden_size: fields.number("feed_forward_length"),
      num_hidden_layers: fields.number("block_count"),
      num_attention_heads: heads(fields),
      num_kv_heads: keys,
      multi_query: keys === 1,
      new_decoder_architecture: grouped,
      num_ln_in_parallel_attn: two ? 2 : 1,
      parallel_attn: true,
      bias: fields.has("blk.0.attn_qkv.bias"),
      alibi: false,
      max_position_embeddings: fields.number("context_length"),
      layer_norm_epsilon: decimal(fields.number("attention.layer_norm_epsilon")),
      rope_theta: fields.number("rope.freq_base", 10000),
      ...await anglesOf(fields),
    };
  },
});

const phi2: GgufArchitecture = {
  names: { token_embd: "model.embed_tokens", output_norm: "model.final_layernorm", output: "lm_head" },
  layers: "model.layers",
  inLayer: {
    ...decoder.inLayer,
    // Files of the first converter have all three in one tensor.
    attn_qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    attn_output: "self_attn.dense",
    ffn_up: "mlp.fc1",
    ffn_down: "mlp.fc2",
  },
  config: async (fields) => ({
    ...await decoderConfig(fields),
    model_type: "phi",
    architectures: ["PhiForCausalLM"],
    layer_norm_eps: decimal(fields.number("attention.layer_norm_epsilon")),
    hidden_act: "gelu_new",
  }),
};

const phi3: GgufArchitecture = {
  ...decoder,
  inLayer: { ...decoder.inLayer, attn_qkv: "self_attn.qkv_proj", ffn_up: "mlp.gate_up_proj" },
  config: async (fields) => ({
    ...await decoderConfig(fields),
    model_type: "phi3",
    architectures: ["Phi3ForCausalLM"],
    // 0 means that there is none.
    sliding_window: fields.optional("attention.sliding_window") || null,
  }),
};

const all: Readonly<Record<string, (fields: GgufFields) => GgufArchitecture>> = {
  llama: () => llama,
  mistral: () => llama,
  qwen2: () => ({ ...decoder, config: configNamed("qwen2", "Qwen2") }),
  qwen3: () => ({ ...decoder, inLayer: { ...decoder.inLayer, ...headNorms }, config: configNamed("qwen3", "Qwen3") }),
  gemma2: () =>
    gemma("Gemma2", 46, gemmaLayer, (fields) => ({
      model_type: "gemma2",
      attn_logit_softcapping: fields.number("attn_logit_softcapping", 50),
      final_logit_softcapping: fields.number("final_logit_softcapping", 30),
    })),
  gemma3: () =>
    gemma("Gemma3", 62, { ...gemmaLayer, ...headNorms }, (fields) => ({
      model_type: "gemma3_text",
      rope_theta: fields.number("rope.freq_base", 1e6),
      rope_local_base_freq: fields.number("rope.freq_base_swa", 10000),
      sliding_window_pattern: fields.number("attention.sliding_window_pattern", 6),
    })),
  gpt2: () => gpt2,
  falcon: (fields) => falcon(fields.has("blk.0.attn_norm_2.weight")),
  phi2: () => phi2,
  phi3: () => phi3,
};

/** Returns an architecture by name. Throws AttuneError if it is not supported. */
export function architectureOf(name: string, fields: GgufFields, label: string): GgufArchitecture {
  const known = Object.hasOwn(all, name) ? all[name] : undefined;
  if (known) return known(fields);
  const names = Object.keys(all).join(", ");
  throw unsupported("pretrained", `${label}: general.architecture`, name, `supported: ${names}`);
}
