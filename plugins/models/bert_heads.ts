/**
 * What BERT and its relatives put on their states besides the sequence classifier: tags of tokens, spans, choices.
 * @module
 */
import type { HeadStyle, Json, Named } from "../../core/types.ts";
import type { ConfigReader } from "./config.ts";

/** The family's ForTokenClassification, ForQuestionAnswering and ForMultipleChoice. */
export function furtherHeads(
  family: "bert" | "roberta" | "distilbert" | "albert" | "electra",
  c: ConfigReader,
  config: Named<Json>,
  hiddenSize: number,
  hiddenDropout: number,
): Named<HeadStyle> {
  const given = (name: string): boolean => config[name] !== undefined && config[name] !== null;
  const classifierDropout = family === "albert"
    ? c.rate("classifier_dropout_prob", 0.1)
    : family !== "distilbert" && given("classifier_dropout")
    ? c.rate("classifier_dropout")
    : hiddenDropout;
  const spanDropout = family === "distilbert" ? [{ dropout: c.rate("qa_dropout", 0.1) }] : [];
  return {
    token: { steps: [{ dropout: classifierDropout }], out: "classifier" },
    span: { steps: spanDropout, out: "qa_outputs" },
    choice: {
      pool: "first",
      steps: choiceSteps(family, c, hiddenSize, family === "roberta" ? hiddenDropout : classifierDropout),
      out: "classifier",
    },
  };
}

function choiceSteps(
  family: "bert" | "roberta" | "distilbert" | "albert" | "electra",
  c: ConfigReader,
  hiddenSize: number,
  dropout: number,
): HeadStyle["steps"] {
  const pooler = (path: string): HeadStyle["steps"] => [
    { dense: path, outFeatures: hiddenSize },
    { activation: "tanh" },
    { dropout },
  ];
  switch (family) {
    case "bert":
    case "roberta":
      return pooler(`${family}.pooler.dense`);
    case "albert":
      return pooler("albert.pooler");
    case "distilbert":
      return [
        { dense: "pre_classifier", outFeatures: hiddenSize },
        { activation: "relu" },
        { dropout: c.rate("seq_classif_dropout", 0.2) },
      ];
    case "electra":
      return electraSummary(c, hiddenSize);
  }
}

/** ELECTRA's `sequence_summary`, as its configs say it. */
function electraSummary(c: ConfigReader, hiddenSize: number): HeadStyle["steps"] {
  c.only("summary_type", "first");
  c.only("summary_proj_to_labels", false);
  const name = c.text("summary_activation", "gelu");
  return [
    ...(c.flag("summary_use_proj", true) ? [{ dense: "sequence_summary.summary", outFeatures: hiddenSize }] : []),
    ...(name === "" ? [] : [{ activation: name }]),
    { dropout: c.rate("summary_last_dropout", 0.1) },
  ];
}
