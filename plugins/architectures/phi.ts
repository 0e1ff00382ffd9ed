/**
 * Phi-1, Phi-1.5 and Phi-2 (Li et al. 2023).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, layerNorm, type ModelOptions } from "../../blocks/architecture/mod.ts";

/**
 * Phi: one norm before attention and an ungated feed-forward part, which run in parallel; rotary positions for part of
 * each head.
 *
 * @example
 * ```ts
 * import { phi } from "attune/architectures/phi";
 * console.assert(phi().modelTypes.includes("phi"));
 * ```
 */
export const phi: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "phi",
  classPrefix: "Phi",
  defaults: {
    vocab_size: 51200,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 24,
    num_attention_heads: 32,
    max_position_embeddings: 2048,
    hidden_act: "gelu_new",
  },
  differences: (c) => ({
    norm: layerNorm(c.number("layer_norm_eps", 1e-5)),
    norms: "parallel",
    queryKeyNorm: c.flag("qk_layernorm", false) ? "head" : undefined,
    bias: { qkv: true, out: true, mlp: true },
    plain: true,
    names: { out: "dense", queryNorm: "q_layernorm", keyNorm: "k_layernorm", finalNorm: "final_layernorm" },
    rotaries: { "": { partial: 0.5 } },
    dropout: { embedding: c.rate("embd_pdrop", 0), residual: c.rate("resid_pdrop", 0) },
    outputBias: true,
  }),
  targets: {
    attention: ["q_proj", "v_proj", "fc1", "fc2"],
    vera: ["q_proj", "v_proj"],
    keysValues: ["q_proj", "v_proj"],
    feedForward: ["fc2"],
    norms: ["input_layernorm", "final_layernorm"],
  },
});
