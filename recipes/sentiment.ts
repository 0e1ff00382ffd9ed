/**
 * Sentiment of review sentences. Run `npm run sentiment`, or with a model of your own:
 *
 *     bun run recipes/sentiment.ts --model ./all-MiniLM-L6-v2 --adapter lora
 *     bun run recipes/sentiment.ts --data hub:imdb --model bert-base-uncased
 *
 * Without `--model` it is `attune:base`, the small pretrained encoder that comes with Attune.
 * @module
 */
import process from "node:process";
import { exitCode } from "../runtimes/cli/exit.ts";
import { trainSpec } from "../runtimes/cli/run.ts";
import { columnsOf, parseSettings, resolveData, trainingArguments } from "./recipe.ts";

const settings = parseSettings("sentiment", "whether sentences are negative or positive");
const { model, adapter, output, resume } = settings;
const lora = adapter === "lora";

process.exitCode = await exitCode(() =>
  trainSpec({
    version: 1,
    name: "sentiment",
    model: { use: "pretrained", with: { path: model } },
    task: {
      use: "sequence-classification",
      with: { labels: ["negative", "positive"], columns: columnsOf(settings) },
    },
    data: resolveData(settings, {
      train: { use: "reviews", with: { split: "train" } },
      eval: { use: "reviews", with: { split: "test" } },
    }),
    adapter: adapter === undefined ? [] : [adapter],
    schedule: { use: "linear", with: { warmupSteps: 0.1 } },
    training: trainingArguments(settings, {
      // A small encoder takes larger steps.
      learningRate: model === "attune:base" ? (lora ? 2e-3 : 2e-4) : (lora ? 1e-3 : 5e-5),
      numTrainEpochs: 3,
      maxLength: 128,
      loadBestModelAtEnd: true,
      metricForBestModel: "accuracy",
    }),
  }, { output, resume })
);
