/**
 * What BERT and its relatives put on their states besides the sequence classifier: tags of tokens, spans, choices.
 * @module
 */
import type { HeadStyle, Json, Named } from "../../core/types.ts";
import type { ConfigReader } from "./config.ts";
import { sequenceSummary } from "./summary.ts";

/** The family's ForTokenClassification, ForQuestionAnswering and ForMultipleChoice; `sequence`: its ForSequenceClassification. */
export function furtherHeads(
  family: "bert" | "roberta" | "distilbert" | "albert" | "electra",
  c: ConfigReader,
  config: Named<Json>,
  hiddenSize: number,
  hiddenDropout: number,
  sequence: HeadStyle,
): Named<HeadStyle> {
  const given = (name: string): boolean => config[name] !== undefined && config[name] !== null;
  const classifierDropout = family === "albert"
    ? c.rate("classifier_dropout_prob", 0.1)
    : family !== "distilbert" && given("classifier_dropout")
    ? c.rate("classifier_dropout")
    : hiddenDropout;
  const pooler = (dense: string, dropout = 0): Pick<HeadStyle, "pool" | "steps"> => ({
    pool: "first",
    steps: [{ dense, outFeatures: hiddenSize }, { activation: "tanh" }, { dropout }],
  });
  // Two families choose through other layers than they classify by.
  const choice = family === "roberta"
    ? pooler("roberta.pooler.dense", hiddenDropout)
    : family === "electra"
    ? sequenceSummary(c, config, hiddenSize, { type: "first", activation: "gelu" })
    : sequence;
  const spanDropout = family === "distilbert" ? [{ dropout: c.rate("qa_dropout", 0.1) }] : [];
  return {
    mlm: languageHead(family, c, config, hiddenSize),
    ...(family === "bert" ? { nextSentence: { ...pooler("bert.pooler.dense"), out: "cls.seq_relationship" } } : {}),
    ...(family === "albert"
      ? { nextSentence: { ...pooler("albert.pooler", classifierDropout), out: "sop_classifier.classifier" } }
      : {}),
    token: { steps: [{ dropout: classifierDropout }], out: "classifier" },
    span: { steps: spanDropout, out: "qa_outputs" },
    choice: { ...choice, out: "classifier" },
  };
}

/** The family's ForMaskedLM. */
function languageHead(
  family: "bert" | "roberta" | "distilbert" | "albert" | "electra",
  c: ConfigReader,
  config: Named<Json>,
  hiddenSize: number,
): HeadStyle {
  const tied = config.tie_word_embeddings !== false;
  // The bias beside the decoder is the decoder's own, by the same tie as its matrix.
  const biasOf = (outBias: string): Pick<HeadStyle, "outBias" | "bias"> => (tied ? { outBias } : { bias: true });
  const epsilon = c.number("layer_norm_eps", 1e-12);
  const activation = c.text("hidden_act", family === "albert" ? "gelu_new" : "gelu");
  switch (family) {
    case "bert": {
      const path = "cls.predictions.transform";
      return {
        steps: [{ dense: `${path}.dense`, outFeatures: hiddenSize }, { activation }, {
          norm: `${path}.LayerNorm`,
          epsilon,
        }],
        out: "cls.predictions.decoder",
        ...biasOf("cls.predictions.bias"),
        tied,
      };
    }
    case "roberta":
      return {
        steps: [
          { dense: "lm_head.dense", outFeatures: hiddenSize },
          { activation: "gelu" },
          { norm: "lm_head.layer_norm", epsilon },
        ],
        out: "lm_head.decoder",
        ...biasOf("lm_head.bias"),
        tied,
      };
    case "distilbert":
      return {
        steps: [
          { dense: "vocab_transform", outFeatures: hiddenSize },
          { activation: c.text("activation", "gelu") },
          { norm: "vocab_layer_norm", epsilon: 1e-12 },
        ],
        out: "vocab_projector",
        bias: true,
        tied,
      };
    case "albert":
      return {
        steps: [
          { dense: "predictions.dense", outFeatures: c.count("embedding_size", 128) },
          { activation },
          { norm: "predictions.LayerNorm", epsilon },
        ],
        out: "predictions.decoder",
        ...biasOf("predictions.bias"),
        tied,
      };
    case "electra":
      return {
        steps: [
          { dense: "generator_predictions.dense", outFeatures: c.count("embedding_size", 128) },
          { activation: "gelu" },
          { norm: "generator_predictions.LayerNorm", epsilon },
        ],
        out: "generator_lm_head",
        bias: true,
        tied,
      };
  }
}
