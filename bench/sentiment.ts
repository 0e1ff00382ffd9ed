/**
 * Accuracy of the sentiment recipe's task over seeds: `attune:base`, the same architecture from random weights, MiniLM.
 *
 *     node bench/sentiment.ts --seeds 1,2,3 [--only base]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    seeds: { type: "string", default: "1,2,3" },
    only: { type: "string", default: "" },
    minilm: {
      type: "string",
      default: fileURLToPath(new URL("../../shared/models/all-MiniLM-L6-v2", import.meta.url)),
    },
  },
});
const cli = fileURLToPath(new URL("../runtimes/cli.ts", import.meta.url));
const base = { use: "pretrained", with: { path: "attune:base" } };
const minilm = { use: "pretrained", with: { path: flags.minilm } };
const random = { use: "random", with: { path: "attune:base" } };

/** Model, adapter, rate and epochs by name. For random weights several are tried, so that the best can be compared. */
const contenders = {
  "base LoRA": { model: base, adapter: "lora", rate: 2e-3, epochs: 3 },
  "base full": { model: base, rate: 2e-4, epochs: 3 },
  "random full 2e-4": { model: random, rate: 2e-4, epochs: 3 },
  "random full 5e-4": { model: random, rate: 5e-4, epochs: 3 },
  "random full 5e-4, 6 epochs": { model: random, rate: 5e-4, epochs: 6 },
  "MiniLM LoRA": { model: minilm, adapter: "lora", rate: 1e-3, epochs: 3 },
  "MiniLM full": { model: minilm, rate: 5e-5, epochs: 3 },
} as const;

for (const [name, { model, rate, epochs, ...rest }] of Object.entries(contenders)) {
  if (!name.includes(flags.only)) continue;
  const accuracies = flags.seeds.split(",").map((seed) => {
    const folder = mkdtempSync(join(tmpdir(), "attune-sentiment-"));
    writeFileSync(
      join(folder, "spec.json"),
      JSON.stringify({
        version: 1,
        name: "sentiment",
        model,
        task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
        data: {
          train: { use: "reviews", with: { split: "train" } },
          eval: { use: "reviews", with: { split: "test" } },
        },
        adapter: "adapter" in rest ? [rest.adapter] : [],
        schedule: { use: "linear", with: { warmupSteps: 0.1 } },
        training: {
          learningRate: rate,
          numTrainEpochs: epochs,
          perDeviceTrainBatchSize: 16,
          maxLength: 128,
          evalStrategy: "epoch",
          loadBestModelAtEnd: false,
          seed: Number(seed),
        },
      }),
    );
    const output = join(folder, "out");
    const { status, stderr } = spawnSync(process.execPath, [cli, "run", join(folder, "spec.json"), "-o", output], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr);
    const { accuracy } = JSON.parse(readFileSync(join(output, "metrics.json"), "utf8")) as { accuracy: number };
    rmSync(folder, { recursive: true });
    return accuracy;
  });
  const mean = accuracies.reduce((a, b) => a + b, 0) / accuracies.length;
  console.log(`${name.padEnd(28)} ${mean.toFixed(4)}  (${accuracies.map((a) => a.toFixed(4)).join(", ")})`);
}
