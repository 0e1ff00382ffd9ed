/**
 * Gemma 3 (Gemma Team 2025), text models only.
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions, slidingLayers, windowOf } from "../../blocks/architecture/mod.ts";
import { gemmaDefaults, gemmaDifferences, gemmaTargets, softcap } from "./gemma/family.ts";

/**
 * Gemma 3: every sixth layer has global attention, the others a sliding window and their own rotary base; queries and
 * keys are normed per head.
 *
 * @example
 * ```ts
 * import { gemma3 } from "attune/architectures/gemma3";
 * console.assert(gemma3().modelTypes.includes("gemma3_text"));
 * ```
 */
export const gemma3: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "gemma3",
  modelType: "gemma3_text",
  classPrefix: "Gemma3Text",
  classes: { ForCausalLM: "Gemma3ForCausalLM" },
  defaults: { ...gemmaDefaults, vocab_size: 262208, max_position_embeddings: 131072, sliding_window: 4096 },
  differences: (c) => {
    c.only("attn_logit_softcapping", null);
    const window = windowOf(c) ?? 0;
    const pattern = c.count("_sliding_window_pattern", c.count("sliding_window_pattern", 6));
    return {
      ...gemmaDifferences(c),
      queryKeyNorm: "head",
      softcaps: { logits: softcap(c, "final_logit_softcapping") },
      rotaries: {
        full: { layerType: "full_attention", defaultTheta: 1e6 },
        sliding: { layerType: "sliding_attention", theta: "rope_local_base_freq", scaling: null },
      },
      layers: (count) =>
        slidingLayers("gemma3", c, count, (i) => (i + 1) % pattern !== 0).map((slides) =>
          slides ? { window, rotary: "sliding" } : { rotary: "full" }
        ),
    };
  },
  targets: gemmaTargets,
});
