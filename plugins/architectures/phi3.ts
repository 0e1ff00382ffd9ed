/**
 * Phi-3 and Phi-4 (Abdin et al. 2024).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, everyLayer, type ModelOptions, rmsNorm, windowOf } from "../../blocks/architecture/mod.ts";

/**
 * Phi-3: one fused matrix for queries, keys and values, and one for the two halves of the first feed-forward layer.
 *
 * @example
 * ```ts
 * import { phi3 } from "attune/architectures/phi3";
 * console.assert(phi3().modelTypes.includes("phi3"));
 * ```
 */
export const phi3: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "phi3",
  classPrefix: "Phi3",
  defaults: {
    vocab_size: 32064,
    hidden_size: 3072,
    intermediate_size: 8192,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    max_position_embeddings: 4096,
    pad_token_id: 32000,
  },
  differences: (c) => {
    const window = windowOf(c);
    return {
      norm: rmsNorm(c.number("rms_norm_eps", 1e-5)),
      fused: true,
      layers: (count) => everyLayer(count, window === undefined ? {} : { window }),
      dropout: { residual: c.rate("resid_pdrop", 0) },
    };
  },
  targets: { attention: ["qkv_proj"] },
});
