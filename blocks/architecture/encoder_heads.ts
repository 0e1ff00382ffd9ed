/** Parts of encoder heads. */
import type { HeadSpec, Named } from "../../core/types.ts";
import type { HeadSizes } from "./define_encoder.ts";

type Steps = HeadSpec["steps"];

/** The first token's state through a dense layer with tanh, as BERT's pooler. */
export function pooler(dense: string, outFeatures: number, dropout: number): Pick<HeadSpec, "steps"> & {
  readonly pool: "first";
} {
  return { pool: "first", steps: [{ dense, outFeatures }, { activation: "tanh" }, { dropout }] };
}

/** A dense layer, an activation and a norm, before the logits of the vocabulary. */
export function transform(
  dense: string,
  outFeatures: number,
  activation: string,
  norm: string,
  epsilon: number,
): Steps {
  return [{ dense, outFeatures }, { activation }, { norm, epsilon }];
}

/** The bias of the vocabulary's logits. If the decoder shares its matrix, so is the bias, under another name. */
export function vocabularyBias(tied: boolean, outBias: string): Pick<HeadSpec, "outBias" | "bias"> {
  return tied ? { outBias } : { bias: true };
}

/** Classification by two layers over the first token's state, as in RoBERTa. */
export function twoLayers(outFeatures: number, activation: string, dropout: number): HeadSpec {
  return {
    pool: "first",
    steps: [{ dropout }, { dense: "classifier.dense", outFeatures }, { activation }, { dropout }],
    out: "classifier.out_proj",
  };
}

/** A head of one layer, for spans and token tags. */
export function oneLayer(out: string, ...steps: Steps): HeadSpec {
  return { steps, out };
}

/** RoBERTa's heads over the model with the given name. */
export function robertaHeads(name: string, o: HeadSizes): Named<HeadSpec> {
  const { hiddenSize, hiddenDropout, classifierDropout, epsilon, tied } = o;
  return {
    sequence: twoLayers(hiddenSize, "tanh", classifierDropout),
    mlm: {
      steps: transform("lm_head.dense", hiddenSize, "gelu", "lm_head.layer_norm", epsilon),
      out: "lm_head.decoder",
      ...vocabularyBias(tied, "lm_head.bias"),
      tied,
    },
    token: oneLayer("classifier", { dropout: classifierDropout }),
    span: oneLayer("qa_outputs"),
    choice: { ...pooler(`${name}.pooler.dense`, hiddenSize, hiddenDropout), out: "classifier" },
  };
}
