/**
 * Llama (Touvron et al. 2023).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions } from "../../blocks/architecture/mod.ts";

/**
 * Llama.
 *
 * @example
 * ```ts
 * import { llama } from "attune/architectures/llama";
 * console.assert(llama().modelTypes.includes("llama"));
 * ```
 */
export const llama: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "llama",
  classPrefix: "Llama",
  defaults: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    max_position_embeddings: 2048,
  },
  differences: (c) => {
    const attention = c.flag("attention_bias", false);
    return { bias: { qkv: attention, out: attention, mlp: c.flag("mlp_bias", false) } };
  },
  targets: {
    attention: ["q_proj", "v_proj"],
    keysValues: ["k_proj", "v_proj"],
    feedForward: ["down_proj"],
    norms: ["input_layernorm", "post_attention_layernorm", "norm"],
  },
});
