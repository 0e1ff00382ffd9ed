/**
 * ALBERT (Lan et al. 2020).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import {
  defineEncoder,
  type ModelOptions,
  oneLayer,
  pooler,
  transform,
  vocabularyBias,
} from "../../blocks/architecture/mod.ts";

/**
 * ALBERT: layers share their weights within groups, and embeddings are narrower than the layers.
 *
 * @example
 * ```ts
 * import { albert } from "attune/architectures/albert";
 * console.assert(albert().modelTypes.includes("albert"));
 * ```
 */
export const albert: Factory<"architecture", ModelOptions> = defineEncoder({
  name: "albert",
  classPrefix: "Albert",
  defaults: {
    hidden_size: 4096,
    num_attention_heads: 64,
    intermediate_size: 16384,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    hidden_act: "gelu_new",
  },
  dropsFeedForward: false,
  projection: { path: "albert.encoder.embedding_hidden_mapping_in", always: true },
  layers: (count, c) => {
    const [groups, inner] = [c.count("num_hidden_groups", 1), c.count("inner_group_num", 1)];
    return Array.from({ length: count * inner }, (_, k) => {
      const group = Math.floor(Math.floor(k / inner) / (count / groups));
      const path = `albert.encoder.albert_layer_groups.${group}.albert_layers.${k % inner}`;
      const paths = {
        query: `${path}.attention.query`,
        key: `${path}.attention.key`,
        value: `${path}.attention.value`,
        attentionOut: `${path}.attention.dense`,
        attentionNorm: `${path}.attention.LayerNorm`,
        intermediate: `${path}.ffn`,
        output: `${path}.ffn_output`,
        outputNorm: `${path}.full_layer_layer_norm`,
      };
      return { path, paths };
    });
  },
  heads: (c, { hiddenSize, epsilon, tied }) => {
    const dropout = c.rate("classifier_dropout_prob", 0.1);
    const pooled = pooler("albert.pooler", hiddenSize, dropout);
    const norm = "predictions.LayerNorm";
    return {
      sequence: { ...pooled, out: "classifier" },
      mlm: {
        steps: transform("predictions.dense", c.count("embedding_size"), c.text("hidden_act"), norm, epsilon),
        out: "predictions.decoder",
        ...vocabularyBias(tied, "predictions.bias"),
        tied,
      },
      nextSentence: { ...pooled, out: "sop_classifier.classifier" },
      token: oneLayer("classifier", { dropout }),
      span: oneLayer("qa_outputs"),
      choice: { ...pooled, out: "classifier" },
    };
  },
  sentencePairs: "order",
  targets: {
    attention: ["query", "value"],
    keysValues: ["key", "value"],
    feedForward: ["ffn_output"],
    norms: ["LayerNorm", "full_layer_layer_norm"],
  },
});
