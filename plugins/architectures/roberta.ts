/**
 * RoBERTa (Liu et al. 2019), and its counterparts for other languages: XLM-RoBERTa (Conneau et al. 2020) and CamemBERT
 * (Martin et al. 2020).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { bertLayers, defineEncoder, type ModelOptions, robertaHeads } from "../../blocks/architecture/mod.ts";

/**
 * RoBERTa, XLM-RoBERTa and CamemBERT: positions start after the id of the padding token.
 *
 * @example
 * ```ts
 * import { roberta } from "attune/architectures/roberta";
 * console.assert(roberta().modelTypes.includes("roberta"));
 * ```
 */
export const roberta: Factory<"architecture", ModelOptions> = defineEncoder({
  name: "roberta",
  classPrefix: "Roberta",
  relatives: { "xlm-roberta": { classPrefix: "XLMRoberta" }, camembert: { classPrefix: "Camembert" } },
  padTokenId: 1,
  positionsSkipPadding: true,
  layers: bertLayers("roberta"),
  heads: (_, sizes) => robertaHeads("roberta", sizes),
  targets: {
    attention: ["query", "value"],
    adalora: ["query", "key", "value", "dense"],
    keysValues: ["key", "value"],
    feedForward: ["output.dense"],
    norms: ["LayerNorm"],
    bottleneck: { attention: "attention.output", feedForward: "output" },
  },
});
