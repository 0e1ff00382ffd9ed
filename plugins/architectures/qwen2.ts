/**
 * Qwen2 (Yang et al. 2024).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions, qwenLayers } from "../../blocks/architecture/mod.ts";

/**
 * Qwen2 and Qwen2.5: queries, keys and values have biases.
 *
 * @example
 * ```ts
 * import { qwen2 } from "attune/architectures/qwen2";
 * console.assert(qwen2().modelTypes.includes("qwen2"));
 * ```
 */
export const qwen2: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "qwen2",
  classPrefix: "Qwen2",
  defaults: {
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    max_position_embeddings: 32768,
  },
  differences: (c) => ({ bias: { qkv: true, out: false, mlp: false }, layers: qwenLayers("qwen2", c) }),
  targets: {
    attention: ["q_proj", "v_proj"],
    keysValues: ["q_proj", "v_proj"],
    feedForward: ["down_proj"],
    norms: ["post_attention_layernorm"],
  },
});
