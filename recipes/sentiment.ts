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
import { parseArgs } from "node:util";
import { exitCode } from "../runtimes/cli/exit.ts";
import { trainSpec } from "../runtimes/cli/run.ts";
import { dataOf } from "./recipe.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "attune:base" },
    adapter: { type: "string" },
    data: { type: "string" },
    rows: { type: "string" },
    output: { type: "string", default: `runs/sentiment-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}` },
    epochs: { type: "string", default: "3" },
    rate: { type: "string" },
    seed: { type: "string", default: "42" },
  },
});

const lora = values.adapter === "lora";
// A small encoder takes larger steps.
const rate = values.model === "attune:base" ? (lora ? 2e-3 : 2e-4) : (lora ? 1e-3 : 5e-5);

process.exitCode = await exitCode(() =>
  trainSpec({
    version: 1,
    name: "sentiment",
    model: { use: "pretrained", with: { path: values.model } },
    task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
    data: dataOf(values, {
      train: { use: "reviews", with: { split: "train" } },
      eval: { use: "reviews", with: { split: "test" } },
    }),
    adapter: values.adapter === undefined ? [] : [values.adapter],
    schedule: { use: "linear", with: { warmupSteps: 0.1 } },
    training: {
      learningRate: Number(values.rate ?? rate),
      numTrainEpochs: Number(values.epochs),
      perDeviceTrainBatchSize: 16,
      maxLength: 128,
      evalStrategy: "epoch",
      loadBestModelAtEnd: true,
      metricForBestModel: "accuracy",
      loggingSteps: 50,
      seed: Number(values.seed),
    },
  }, { output: values.output })
);
