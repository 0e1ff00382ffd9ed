/** The task of predicting a decoder's tokens. */
import type { Subtask } from "../../core/types.ts";
import { decodeTexts } from "./generation.ts";
import { tokenPlaces, tokenReadings } from "./token_readings.ts";

/** Returns the task of predicting a decoder's tokens, from samples made by `collator`. */
export function seq2seqTask(collator: Subtask["collator"]): Subtask {
  return {
    name: "",
    collator,
    heads: ["seq2seq"],
    losses: [{ loss: { use: "cross-entropy", with: { over: "step" } }, output: "logits", target: "labels" }],
    metrics: ["perplexity", "accuracy"],
    taskType: "SEQ_2_SEQ_LM",
    evaluationOutputs: ["predictions", "logProbabilities"],
    decode: tokenReadings,
    placesOf: tokenPlaces,
    generate: {},
    predict: (outputs, _, tokenizer) => decodeTexts(outputs, tokenizer),
  };
}
