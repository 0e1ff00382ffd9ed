/**
 * SmolLM3 (Bakouch et al. 2025).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions, slidingLayers, windowOf } from "../../blocks/architecture/mod.ts";

/**
 * SmolLM3: every fourth layer has no rotary positions; layers may have a sliding window.
 *
 * @example
 * ```ts
 * import { smollm3 } from "attune/architectures/smollm3";
 * console.assert(smollm3().modelTypes.includes("smollm3"));
 * ```
 */
export const smollm3: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "smollm3",
  classPrefix: "SmolLM3",
  defaults: {
    vocab_size: 128256,
    hidden_size: 2048,
    intermediate_size: 11008,
    num_hidden_layers: 36,
    num_attention_heads: 16,
    num_key_value_heads: 4,
    max_position_embeddings: 32768,
    pad_token_id: 128004,
    rope_theta: 2e6,
    tie_word_embeddings: true,
  },
  differences: (c) => {
    const attention = c.flag("attention_bias", false);
    const window = c.flag("use_sliding_window", false) ? windowOf(c) : undefined;
    const turned = c.value("no_rope_layers");
    const turns = (i: number): boolean =>
      Array.isArray(turned) ? Boolean(turned[i]) : (i + 1) % c.count("no_rope_layer_interval", 4) !== 0;
    return {
      bias: { qkv: attention, out: attention, mlp: c.flag("mlp_bias", false) },
      layers: (count) =>
        slidingLayers("smollm3", c, count, (i) => !turns(i)).map((slides, i) => ({
          ...(slides && window !== undefined ? { window } : {}),
          ...(turns(i) ? {} : { rotary: null }),
        })),
    };
  },
  targets: {
    attention: ["q_proj", "v_proj"],
    keysValues: ["k_proj", "v_proj"],
    feedForward: ["down_proj"],
    norms: ["input_layernorm", "post_attention_layernorm", "norm"],
  },
});
