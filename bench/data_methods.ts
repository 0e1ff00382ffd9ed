/**
 * Effect of balanced sampling and augmentation, reported even if there is none: `node bench/data_methods.ts`.
 *
 * Both train all of `attune:base` on review sentences, over several seeds with different rows, and report the figure on
 * 600 test rows with and without it, and the mean difference with its 95 % interval (Student's t over seeds, paired).
 */
import { parseArgs } from "node:util";
import process from "node:process";
import { compose } from "../core/spec/compose.ts";
import { createRandom, permutation } from "../core/math/random.ts";
import { train } from "../core/run/train/train_whole.ts";
import { correctedInterval } from "../core/statistics/corrected_interval.ts";
import type { Json, Row, RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { reviews } from "../plugins/data/reviews.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { collect } from "../core/base/collect.ts";

/** A comparison: its figure, its rows of each class, its steps, and the transforms of each way. */
type Comparison = Readonly<{
  metric: string;
  positive: number;
  negative: number;
  maxSteps: number;
  ways: Readonly<Record<string, readonly Json[]>>;
}>;

const comparisons: Readonly<Record<string, Comparison>> = {
  balance: {
    metric: "f1_macro",
    positive: 760,
    negative: 40,
    maxSteps: 150,
    ways: {
      without: [],
      over: [{ use: "balance", with: { method: "over" } }],
      weights: [{ use: "balance", with: { method: "weights" } }],
    },
  },
  augment: {
    metric: "accuracy",
    positive: 32,
    negative: 32,
    maxSteps: 80,
    ways: {
      without: [],
      eda: [{ use: "augment", with: { methods: ["synonym", "insert", "swap", "delete"], perRow: 4 } }],
    },
  },
};

const { values: { seeds, only } } = parseArgs({
  options: { seeds: { type: "string", default: "5" }, only: { type: "string" } },
});
const host = await hostHere();
const rowsOf = async (split: "train" | "test"): Promise<Row[]> => {
  return (await collect((await reviews({ split }).open(host)).read())).map(({ row }) => row);
};
const [all, test] = [await rowsOf("train"), await rowsOf("test")];

/** Draws the given number of rows of each class by a seed. */
function drawnRows({ positive, negative }: Comparison, seed: number): Row[] {
  const shuffled = Array.from(permutation(createRandom(seed).fork("rows"), all.length), (i) => all[i] as Row);
  const of = (label: string, n: number): Row[] => shuffled.filter((row) => row.label === label).slice(0, n);
  return [...of("positive", positive), ...of("negative", negative)];
}

async function figureOf(comparison: Comparison, transforms: readonly Json[], seed: number): Promise<number> {
  const memory = (rows: readonly Row[]): object => ({ use: "memory", with: { rows } });
  const spec = {
    version: 1,
    model: "attune:base",
    task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
    data: { train: { ...memory(drawnRows(comparison, seed)), transforms }, eval: memory(test) },
    metrics: ["accuracy", { use: "f1", with: { average: "macro" } }],
    loggers: [],
    schedule: { use: "linear", with: { warmupSteps: 0.1 } },
    training: {
      learningRate: 2e-4,
      maxSteps: comparison.maxSteps,
      perDeviceTrainBatchSize: 16,
      maxLength: 64,
      evalStrategy: "no",
      seed,
    },
  } as unknown as RunSpec;
  const { metrics } = await train(compose(spec, catalog), host, {});
  return metrics[comparison.metric] ?? NaN;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

for (const [name, comparison] of Object.entries(comparisons)) {
  if (only !== undefined && only !== name) continue;
  const figures: Record<string, number[]> = {};
  for (let seed = 1; seed <= Number(seeds); seed++) {
    for (const [way, transforms] of Object.entries(comparison.ways)) {
      (figures[way] ??= []).push(await figureOf(comparison, transforms, seed));
    }
  }
  for (const [way, values] of Object.entries(figures)) {
    const differences = values.map((value, i) => value - (figures.without?.[i] ?? NaN));
    // Every seed has its own rows, so no correction is needed.
    const { mean: difference, low, high } = correctedInterval({ values: differences, trainRows: 1, testRows: 0 });
    const beside = way === "without"
      ? ""
      : `; difference ${difference.toFixed(3)}, 95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}`;
    process.stdout.write(
      `${name} ${way}: ${comparison.metric} ${mean(values).toFixed(3)} (${
        values.map((value) => value.toFixed(3)).join(" ")
      })${beside}\n`,
    );
  }
}
