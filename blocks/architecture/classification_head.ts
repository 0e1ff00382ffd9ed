/** The `classification_head` of T5 and BART. */
import type { HeadSpec } from "../../core/types.ts";

/** Returns a head over the decoder's state at each last token: a dense layer with tanh, and the output layer. */
export function classificationHead(hiddenSize: number, dropout: number): HeadSpec {
  return {
    pool: "last",
    steps: [
      { dropout },
      { dense: "classification_head.dense", outFeatures: hiddenSize },
      { activation: "tanh" },
      { dropout },
    ],
    out: "classification_head.out_proj",
    modulesToSave: ["classification_head"],
  };
}
