/**
 * Accuracies after three epochs of review sentences over a base in 16, 8 and 4 bits, compared with float32:
 *
 *     node bench/quantized.ts [--model attune:base] [--rate 2e-3] [--seeds 3] [--only nf4]
 *     node bench/quantized.ts --full [--model DIR] [--rate 5e-5]
 *
 * LoRA over the base as each accelerator stores it, or all weights with accelerators that need no adapter; the same
 * seeds for all. Beside each accuracy are the mean difference from
 * float32 with its 95 % interval (Student's t over seeds, paired), and the quality gate's figures before step one.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { trainRun } from "../core/run/train/train.ts";
import { compose } from "../core/spec/compose.ts";
import { correctedInterval } from "../core/statistics/corrected_interval.ts";
import type { Drift, Json, RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";

/** Accelerators that store the base; float32 comes first, because the others are compared with it. */
const ways: Readonly<Record<string, readonly Json[]>> = {
  float32: [],
  bf16: ["bf16"],
  int8: ["int8"],
  "int8, both ways": [{ use: "int8", with: { backward: "int8" } }],
  int4: ["int4"],
  nf4: ["nf4"],
  "nf4, double": [{ use: "nf4", with: { useDoubleQuant: true } }],
};

/** The ways that make a difference if all weights train. */
const ofAll = ["float32", "bf16", "int8", "int8, both ways"];

const { values: { model, full, rate = full ? "2e-4" : "2e-3", seeds, only } } = parseArgs({
  options: {
    model: { type: "string", default: "attune:base" },
    full: { type: "boolean", default: false },
    rate: { type: "string" },
    seeds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
  },
});
const host = await hostHere();

async function accuracyOf(
  accelerators: readonly Json[],
  seed: number,
): Promise<Readonly<{ accuracy: number; drift?: Drift }>> {
  const spec = {
    version: 1,
    model: { use: "pretrained", with: { path: model } },
    task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
    data: {
      train: { use: "reviews", with: { split: "train" } },
      eval: { use: "reviews", with: { split: "test" } },
    },
    adapter: full ? [] : "lora",
    accelerators,
    loggers: [],
    schedule: { use: "linear", with: { warmupSteps: 0.1 } },
    training: {
      learningRate: Number(rate),
      numTrainEpochs: 3,
      perDeviceTrainBatchSize: 16,
      maxLength: 128,
      evalStrategy: "no",
      seed,
    },
  } as unknown as RunSpec;
  let [accuracy, drift]: [number, Drift | undefined] = [NaN, undefined];
  for await (const event of trainRun(compose(spec, catalog), host, {})) {
    if (event.type === "drift") drift = event;
    if (event.type === "end") accuracy = event.metrics.accuracy ?? NaN;
  }
  return { accuracy, ...(drift ? { drift } : {}) };
}

const known: Record<string, number[]> = {};
for (const [name, accelerators] of Object.entries(ways)) {
  if (name !== "float32" && !name.startsWith(only) || full && !ofAll.includes(name)) continue;
  const values: number[] = [];
  let drift: Drift | undefined;
  for (let seed = 1; seed <= Number(seeds); seed++) {
    const run = await accuracyOf(accelerators, seed);
    values.push(run.accuracy);
    drift ??= run.drift;
  }
  known[name] = values;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const differences = values.map((value, i) => value - (known.float32?.[i] ?? NaN));
  // All seeds have the same rows and are not folds of each other, so no correction is needed.
  const { mean: difference, low, high } = correctedInterval({ values: differences, trainRows: 1, testRows: 0 });
  const beside = name === "float32" ? "" : `; ${difference.toFixed(4)}, ${low.toFixed(4)} to ${high.toFixed(4)}`;
  const gate = drift
    ? `; drift ${drift.loss.toFixed(4)}, logits ${drift.logits.toFixed(3)}, cosine ${drift.gradientCosine?.toFixed(4)}`
    : "";
  process.stdout.write(`${name}: ${mean.toFixed(4)} (${values.map((x) => x.toFixed(4)).join(", ")})${beside}${gate}\n`);
}
