/**
 * Qwen3 (Yang et al. 2025).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions, qwenLayers } from "../../blocks/architecture/mod.ts";

/**
 * Qwen3: queries and keys are normed per head.
 *
 * @example
 * ```ts
 * import { qwen3 } from "attune/architectures/qwen3";
 * console.assert(qwen3().modelTypes.includes("qwen3"));
 * ```
 */
export const qwen3: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "qwen3",
  classPrefix: "Qwen3",
  defaults: {
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    head_dim: 128,
    max_position_embeddings: 32768,
  },
  differences: (c) => {
    const attention = c.flag("attention_bias", false);
    return {
      queryKeyNorm: "head",
      bias: { qkv: attention, out: attention, mlp: false },
      layers: qwenLayers("qwen3", c),
    };
  },
  targets: {
    attention: ["q_proj", "v_proj"],
    keysValues: ["q_proj", "v_proj"],
    feedForward: ["down_proj"],
    norms: ["post_attention_layernorm"],
  },
});
