/**
 * Sentiment of review sentences. Run `npm run sentiment`, or with a model of your own:
 *
 *     bun run recipes/sentiment.ts --model ./all-MiniLM-L6-v2 --adapter lora
 *     bun run recipes/sentiment.ts --data hub:imdb --model bert-base-uncased
 *
 * Without `--model`, it uses `attune:base`, the small pretrained encoder that comes with Attune.
 */
import { columnsOf, common } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { resolveData, reviews, trainingArguments } from "./shared.ts";

/** Trains a model to classify sentences as negative or positive; returns its accuracy. */
export const sentiment = defineRecipe({
  name: "sentiment",
  summary: "classify sentences as negative or positive",
  options: common,
  run: async (settings, bench) => {
    const { model, adapter, output, resume } = settings;
    const lora = adapter === "lora";
    const { accuracy = NaN } = await bench.train({
      version: 1,
      name: "sentiment",
      model: { use: "pretrained", with: { path: model } },
      task: {
        use: "sequence-classification",
        with: { labels: ["negative", "positive"], columns: columnsOf(settings) },
      },
      data: await resolveData(bench, settings, reviews),
      adapter: adapter === undefined ? [] : [adapter],
      schedule: { use: "linear", with: { warmupSteps: 0.1 } },
      training: trainingArguments(settings, {
        // A small encoder needs a higher learning rate.
        learningRate: model === "attune:base" ? (lora ? 2e-3 : 2e-4) : (lora ? 1e-3 : 5e-5),
        numTrainEpochs: 3,
        maxLength: 128,
        loadBestModelAtEnd: true,
        metricForBestModel: "accuracy",
      }),
    }, { output, resume });
    return { accuracy: { "this model": accuracy } };
  },
});

await runIfMain(import.meta, sentiment);
