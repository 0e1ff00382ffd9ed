/**
 * Gemma 2 (Gemma Team 2024).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineDecoder, type ModelOptions, slidingLayers, windowOf } from "../../blocks/architecture/mod.ts";
import { gemmaDefaults, gemmaDifferences, gemmaTargets, softcap } from "./gemma/family.ts";

/**
 * Gemma 2: every second layer has a sliding window; scores and logits are soft-capped.
 *
 * @example
 * ```ts
 * import { gemma2 } from "attune/architectures/gemma2";
 * console.assert(gemma2().modelTypes.includes("gemma2"));
 * ```
 */
export const gemma2: Factory<"architecture", ModelOptions> = defineDecoder({
  name: "gemma2",
  classPrefix: "Gemma2",
  defaults: {
    ...gemmaDefaults,
    vocab_size: 256000,
    max_position_embeddings: 8192,
    sliding_window: 4096,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  },
  differences: (c) => {
    const window = windowOf(c) ?? 0;
    return {
      ...gemmaDifferences(c),
      softcaps: { scores: softcap(c, "attn_logit_softcapping"), logits: softcap(c, "final_logit_softcapping") },
      layers: (count) =>
        slidingLayers("gemma2", c, count, (i) => i % 2 === 0).map((slides) => (slides ? { window } : {})),
    };
  },
  targets: gemmaTargets,
});
