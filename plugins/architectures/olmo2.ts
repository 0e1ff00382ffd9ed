/**
 * OLMo 2 (OLMo Team 2024).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions, rmsNorm } from "../../blocks/architecture/mod.ts";

/**
 * OLMo 2: norms after attention and feed-forward; queries and keys are normed before they are split into heads.
 *
 * @example
 * ```ts
 * import { olmo2 } from "attune/architectures/olmo2";
 * console.assert(olmo2().modelTypes.includes("olmo2"));
 * ```
 */
export const olmo2: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "olmo2",
  classPrefix: "Olmo2",
  defaults: {
    vocab_size: 50304,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    max_position_embeddings: 2048,
    pad_token_id: 1,
  },
  heads: ["sequence"],
  differences: (c) => {
    const attention = c.flag("attention_bias", false);
    return {
      norm: rmsNorm(c.number("rms_norm_eps", 1e-5)),
      norms: "after",
      queryKeyNorm: "all",
      bias: { qkv: attention, out: attention, mlp: false },
    };
  },
  targets: {
    attention: ["q_proj", "v_proj"],
    keysValues: ["k_proj", "v_proj"],
    feedForward: ["down_proj"],
    norms: ["q_norm", "k_norm", "post_attention_layernorm", "post_feedforward_layernorm", "norm"],
  },
});
