/** Every task on tiny models of every family: whether it trains there, or is refused by name. */
import { compose } from "../../core/spec/compose.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { Host, Json, Named, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { tinyHost, tinyTokenizer } from "../tiny.ts";
import { type Family, rows, tinyModel } from "./families.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

const labels = ["bad", "good"];
const words = ["the", "film", "was", "very", "good"];

/** Each task with rows for it. */
export const tasks: Named<Readonly<{ task: Json; rows: readonly Named<Json>[] }>> = {
  "sequence-classification": { task: { use: "sequence-classification", with: { labels } }, rows },
  "token-classification": {
    task: { use: "token-classification", with: { labels: ["a", "b"] } },
    rows: [{ tokens: words, tags: ["a", "b", "a", "a", "b"] }],
  },
  "question-answering": {
    task: "question-answering",
    rows: [{
      question: "the film ?",
      context: "the film was very good .",
      answers: { text: ["very good"], answer_start: [13] },
    }],
  },
  "multiple-choice": {
    task: "multiple-choice",
    rows: [{ context: "the film was", choices: ["good", "bad"], label: 0 }],
  },
  "masked-lm": { task: { use: "masked-lm", with: { mlmProbability: 0.5 } }, rows },
  pretraining: {
    task: "pretraining",
    rows: [
      { sentences: ["the film was good .", "very nice .", "a phone is not bad !"] },
      { sentences: ["a phone is not bad !", "the food was great and fun ."] },
    ],
  },
  "causal-lm": { task: "causal-lm", rows },
  "permutation-lm": { task: "permutation-lm", rows },
  "seq2seq-lm": { task: "seq2seq-lm", rows },
  "span-corruption": { task: { use: "span-corruption", with: { noiseDensity: 0.5 } }, rows },
  denoising: { task: "denoising", rows },
  ctc: {
    task: { use: "ctc", with: { labels: ["a", "b"] } },
    rows: [{ text: "the film was very good .", target: "ab" }],
  },
  "sentence-similarity": {
    task: "sentence-similarity",
    rows: [{ text: "the film was good", textPair: "a nice film", score: 0.9 }],
  },
};

/** The tiny tokenizer with sentinels, which span corruption puts in the place of what it takes out. */
export const sentinels = ((): Uint8Array => {
  const { added_tokens, ...rest } = tinyTokenizer;
  const known = added_tokens as readonly Named<Json>[];
  const more = Array.from({ length: 4 }, (_, i) => ({ ...known[0], id: 28 + i, content: `<extra_id_${i}>` }));
  return jsonBytes({ ...rest, added_tokens: [...known, ...more] });
})();

/** Trains a step; false where the task is refused. */
export async function trains(family: Family, task: string, host: Host): Promise<boolean> {
  const own = tasks[task];
  const spec = {
    version: 1,
    model: tinyModel({ ...family, config: { vocab_size: 32, ...family.config } }),
    task: own?.task,
    data: { train: { use: "memory", with: { rows: own?.rows ?? [] } } },
    training: { maxSteps: 1, learningRate: 0.01, perDeviceTrainBatchSize: 4, saveStrategy: "no" },
  } as unknown as RunSpec;
  try {
    let steps = 0;
    for await (const event of trainRun(compose(spec, catalog), tinyHost(host, { "tokenizer.json": sentinels }), {})) {
      if (event.type === "step" && Number.isFinite(event.loss) && event.loss > 0) steps++;
    }
    if (steps !== 1) throw new Error(`${task}: no step with a loss`);
    return true;
  } catch (error) {
    if (error instanceof AttuneError && ["UNSUPPORTED", "MISSING"].includes(error.code)) return false;
    throw error;
  }
}
