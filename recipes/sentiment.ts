/**
 * Sentiment of review sentences. Run `npm run sentiment`, or with a model of your own:
 *
 *     bun run recipes/sentiment.ts --model ./all-MiniLM-L6-v2 --adapter lora
 *
 * Without `--model` a small encoder starts from random weights, with a vocabulary made from the training rows.
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { reviews } from "../plugins/data/reviews.ts";
import { trainSpec } from "../runtimes/cli/run.ts";
import { scratchModel } from "../runtimes/scratch_model.ts";
import { hostHere } from "../runtimes/train.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    adapter: { type: "string" },
    output: { type: "string", default: `runs/sentiment-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}` },
    epochs: { type: "string" },
    rate: { type: "string" },
    seed: { type: "string", default: "42" },
  },
});

const base = values.model ??
  await scratchModel(await hostHere(), { rows: reviews(), directory: join(values.output, "base") });
if (values.model === undefined) {
  console.log("No --model: a small encoder (2 layers, 128 wide) starts from random weights.\n");
}
const rate = values.adapter === "lora" ? 1e-3 : values.model ? 5e-5 : 1e-3;

process.exitCode = await trainSpec({
  version: 1,
  name: "sentiment",
  model: { use: values.model === undefined ? "random" : "pretrained", with: { path: base } },
  task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
  data: { train: { use: "reviews", with: { split: "train" } }, eval: { use: "reviews", with: { split: "test" } } },
  adapter: values.adapter === undefined ? [] : [values.adapter],
  schedule: { use: "linear", with: { warmupSteps: 0.1 } },
  training: {
    learningRate: Number(values.rate ?? rate),
    numTrainEpochs: Number(values.epochs ?? (values.model ? 3 : 6)),
    perDeviceTrainBatchSize: 16,
    maxLength: 128,
    evalStrategy: "epoch",
    loadBestModelAtEnd: true,
    metricForBestModel: "accuracy",
    loggingSteps: 50,
    seed: Number(values.seed),
  },
}, { output: join(values.output, "run") });
