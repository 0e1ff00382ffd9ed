/** What Gemma 2 and Gemma 3 share. */
import type { AdapterTargets, Json, Named } from "../../../core/types.ts";
import { type ConfigReader, type DecoderDifferences, rmsNorm } from "../../../blocks/architecture/mod.ts";

/** Defaults of config fields in both versions. */
export const gemmaDefaults: Named<Json> = {
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 26,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  pad_token_id: 0,
  hidden_act: "gelu_pytorch_tanh",
  tie_word_embeddings: true,
};

/** Norms before and after each part, stored less 1; embeddings times √hidden; a separate scale of scores. */
export function gemmaDifferences(c: ConfigReader): DecoderDifferences {
  const attention = c.flag("attention_bias", false);
  return {
    norm: rmsNorm(c.number("rms_norm_eps", 1e-6), 1),
    norms: "both",
    bias: { qkv: attention, out: attention, mlp: false },
    scale: c.number("query_pre_attn_scalar", 256) ** -0.5,
    factors: { embedding: Math.sqrt(c.count("hidden_size")) },
  };
}

/** Returns a soft cap of the config; null turns it off. */
export function softcap(c: ConfigReader, name: string): number | undefined {
  const value = c.value(name);
  return value === null || value === undefined ? undefined : c.number(name);
}

/** Default target modules of adapters. */
export const gemmaTargets: AdapterTargets = {
  attention: ["q_proj", "v_proj"],
  keysValues: ["q_proj", "v_proj"],
  feedForward: ["down_proj"],
  norms: [
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
    "norm",
  ],
};
