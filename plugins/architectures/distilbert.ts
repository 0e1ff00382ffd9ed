/**
 * DistilBERT (Sanh et al. 2019).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { defineEncoder, type ModelOptions, oneLayer, transform } from "../../blocks/architecture/mod.ts";

/**
 * DistilBERT: no token types, and other names in its config.
 *
 * @example
 * ```ts
 * import { distilbert } from "attune/architectures/distilbert";
 * console.assert(distilbert().modelTypes.includes("distilbert"));
 * ```
 */
export const distilbert: Factory<"architecture", ModelOptions> = defineEncoder({
  name: "distilbert",
  classPrefix: "DistilBert",
  fields: {
    hidden_size: "dim",
    num_attention_heads: "n_heads",
    num_hidden_layers: "n_layers",
    intermediate_size: "hidden_dim",
    hidden_dropout_prob: "dropout",
    attention_probs_dropout_prob: "attention_dropout",
    hidden_act: "activation",
  },
  defaults: { num_hidden_layers: 6 },
  epsilon: 1e-12,
  tokenTypes: false,
  dropsProjection: false,
  layers: (count) =>
    Array.from({ length: count }, (_, i) => {
      const path = `distilbert.transformer.layer.${i}`;
      const paths = {
        query: `${path}.attention.q_lin`,
        key: `${path}.attention.k_lin`,
        value: `${path}.attention.v_lin`,
        attentionOut: `${path}.attention.out_lin`,
        attentionNorm: `${path}.sa_layer_norm`,
        intermediate: `${path}.ffn.lin1`,
        output: `${path}.ffn.lin2`,
        outputNorm: `${path}.output_layer_norm`,
      };
      return { path, paths };
    }),
  heads: (c, { hiddenSize, hiddenDropout, epsilon, tied }) => {
    const dropout = c.rate("seq_classif_dropout", 0.2);
    const steps = [{ dense: "pre_classifier", outFeatures: hiddenSize }, { activation: "relu" }, { dropout }];
    const sequence = { pool: "first", steps, out: "classifier" } as const;
    return {
      sequence,
      mlm: {
        steps: transform("vocab_transform", hiddenSize, c.text("hidden_act"), "vocab_layer_norm", epsilon),
        out: "vocab_projector",
        bias: true,
        tied,
      },
      token: oneLayer("classifier", { dropout: hiddenDropout }),
      span: oneLayer("qa_outputs", { dropout: c.rate("qa_dropout", 0.1) }),
      choice: sequence,
    };
  },
  targets: {
    attention: ["q_lin", "v_lin"],
    keysValues: ["k_lin", "v_lin"],
    feedForward: ["lin2"],
    norms: ["LayerNorm", "sa_layer_norm", "output_layer_norm"],
  },
});
