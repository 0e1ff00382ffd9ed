/**
 * ELECTRA (Clark et al. 2020).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import {
  bertLayers,
  defineEncoder,
  type ModelOptions,
  oneLayer,
  sequenceSummary,
  transform,
  twoLayers,
} from "../../blocks/architecture/mod.ts";

/**
 * ELECTRA: embeddings may be narrower than the layers.
 *
 * @example
 * ```ts
 * import { electra } from "attune/architectures/electra";
 * console.assert(electra().modelTypes.includes("electra"));
 * ```
 */
export const electra: Factory<"architecture", ModelOptions> = defineEncoder({
  name: "electra",
  classPrefix: "Electra",
  projection: { path: "electra.embeddings_project", always: false },
  layers: bertLayers("electra"),
  heads: (c, { hiddenSize, classifierDropout, epsilon, tied }) => {
    const path = "generator_predictions";
    return {
      sequence: twoLayers(hiddenSize, "gelu", classifierDropout),
      mlm: {
        steps: transform(`${path}.dense`, c.count("embedding_size"), "gelu", `${path}.LayerNorm`, epsilon),
        out: "generator_lm_head",
        bias: true,
        tied,
      },
      token: oneLayer("classifier", { dropout: classifierDropout }),
      span: oneLayer("qa_outputs"),
      choice: { ...sequenceSummary(c, hiddenSize, { type: "first", activation: "gelu" }), out: "classifier" },
    };
  },
  targets: {
    attention: ["query", "value"],
    keysValues: ["key", "value"],
    feedForward: ["output.dense"],
    norms: ["LayerNorm"],
    bottleneck: { attention: "attention.output", feedForward: "output" },
  },
});
