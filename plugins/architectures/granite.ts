/**
 * Granite 3 (Granite Team, IBM 2024).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions } from "../../blocks/architecture/mod.ts";

/**
 * Granite: separate factors for embeddings, scores, residual branches and logits.
 *
 * @example
 * ```ts
 * import { granite } from "attune/architectures/granite";
 * console.assert(granite().modelTypes.includes("granite"));
 * ```
 */
export const granite: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "granite",
  classPrefix: "Granite",
  defaults: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    max_position_embeddings: 2048,
  },
  heads: [],
  differences: (c) => {
    const attention = c.flag("attention_bias", false);
    return {
      bias: { qkv: attention, out: attention, mlp: c.flag("mlp_bias", false) },
      scale: c.number("attention_multiplier", 1),
      factors: {
        input: c.number("embedding_multiplier", 1),
        residual: c.number("residual_multiplier", 1),
        logits: 1 / c.number("logits_scaling", 1),
      },
    };
  },
  targets: {
    attention: ["q_proj", "v_proj"],
    keysValues: ["k_proj", "v_proj"],
    feedForward: ["down_proj"],
    norms: ["input_layernorm", "post_attention_layernorm", "norm"],
  },
});
