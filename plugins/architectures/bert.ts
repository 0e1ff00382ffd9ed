/**
 * BERT (Devlin et al. 2019).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import {
  bertLayers,
  defineEncoder,
  type ModelOptions,
  oneLayer,
  pooler,
  transform,
  vocabularyBias,
} from "../../blocks/architecture/mod.ts";

/**
 * BERT.
 *
 * @example
 * ```ts
 * import { bert } from "attune/architectures/bert";
 * console.assert(bert().modelTypes.includes("bert"));
 * ```
 */
export const bert: Factory<"architecture", ModelOptions> = defineEncoder({
  name: "bert",
  classPrefix: "Bert",
  classes: { ForCausalLM: "BertLMHeadModel" },
  layers: bertLayers("bert"),
  heads: (c, { hiddenSize, classifierDropout, epsilon, tied }) => {
    const path = "cls.predictions.transform";
    const sequence = { ...pooler("bert.pooler.dense", hiddenSize, classifierDropout), out: "classifier" };
    return {
      sequence,
      mlm: {
        steps: transform(`${path}.dense`, hiddenSize, c.text("hidden_act"), `${path}.LayerNorm`, epsilon),
        out: "cls.predictions.decoder",
        ...vocabularyBias(tied, "cls.predictions.bias"),
        tied,
      },
      nextSentence: { ...pooler("bert.pooler.dense", hiddenSize, 0), out: "cls.seq_relationship" },
      token: oneLayer("classifier", { dropout: classifierDropout }),
      span: oneLayer("qa_outputs"),
      choice: sequence,
    };
  },
  sentencePairs: "next",
  targets: {
    attention: ["query", "value"],
    keysValues: ["key", "value"],
    feedForward: ["output.dense"],
    norms: ["LayerNorm"],
    bottleneck: { attention: "attention.output", feedForward: "output" },
  },
});
