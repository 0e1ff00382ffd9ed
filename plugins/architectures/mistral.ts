/**
 * Mistral (Jiang et al. 2023).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, everyLayer, type ModelOptions, windowOf } from "../../blocks/architecture/mod.ts";

/**
 * Mistral: every layer has a sliding window.
 *
 * @example
 * ```ts
 * import { mistral } from "attune/architectures/mistral";
 * console.assert(mistral().modelTypes.includes("mistral"));
 * ```
 */
export const mistral: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "mistral",
  classPrefix: "Mistral",
  defaults: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    max_position_embeddings: 131072,
    sliding_window: 4096,
  },
  differences: (c) => {
    const window = windowOf(c);
    return { layers: (count) => everyLayer(count, window === undefined ? {} : { window }) };
  },
  targets: {
    attention: ["q_proj", "v_proj"],
    keysValues: ["k_proj", "v_proj"],
    feedForward: ["down_proj"],
    norms: ["input_layernorm", "post_attention_layernorm", "norm"],
  },
});
