/**
 * Effects of two regularizers on `attune:base`: EWC against forgetting, over two tasks in sequence, and an adversary
 * against features that reveal a protected attribute. Prints the tables of docs/regularizers.md.
 *
 *     node bench/regularizers.ts [--seeds 3] [--rows 320] [--only ewc|debiasing]
 */
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { createRandom, permutation } from "../core/math/random.ts";
import { evaluateRun } from "../core/run/evaluate/evaluate.ts";
import { openRun } from "../core/run/open/open.ts";
import { trainRun } from "../core/run/train/train.ts";
import type { Host, Json, Named, Row, RunSpec, Store } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { memory as inMemory } from "../plugins/data/memory.ts";
import { memory } from "../plugins/stores/memory.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { readRows } from "../recipes/shared.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "3" },
    rows: { type: "string", default: "320" },
    only: { type: "string" },
    lambdas: { type: "string" },
    epochs: { type: "string", default: "5" },
  },
});
const LABELS = ["negative", "positive"];
const HELD = 200;
const STAGE = "stage:model";
const plain = await hostHere();
const bench = { host: () => Promise.resolve(plain), catalog: () => Promise.resolve(catalog) };
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const count = Number(values.rows);
const mixed = (rows: readonly Row[], seed: number): Row[] =>
  [...permutation(createRandom(seed).fork("rows"), rows.length)].map((i) => rows[i] as Row);
const given = (rows: readonly Row[]): Json => ({ use: "memory", with: { rows: rows as unknown as Json } });

/** Trains from a model (none: attune:base) and returns the result. */
async function trained(
  rows: readonly Row[],
  seed: number,
  from: Store | undefined,
  change: Named<Json> = {},
): Promise<Store> {
  const output = await memory().open(plain);
  for await (const event of trainRun(compose(specOf(rows, seed, from, change), catalog), hostOf(from), { output })) {
    if (event.type === "end" && event.reason !== "done") throw new Error(event.message ?? event.reason);
  }
  return output;
}

async function accuracyOf(rows: readonly Row[], from: Store, change: Named<Json> = {}): Promise<number> {
  const open = await openRun(compose(specOf(rows, 0, from, change), catalog), hostOf(from));
  return (await evaluateRun(open, inMemory({ rows }))).accuracy ?? NaN;
}

function specOf(rows: readonly Row[], seed: number, from: Store | undefined, change: Named<Json>): RunSpec {
  const { training, ...rest } = change;
  return {
    version: 1,
    model: { use: "pretrained", with: { path: from ? STAGE : "attune:base" } },
    task: { use: "sequence-classification", with: { labels: LABELS } },
    data: { train: given(rows) },
    ...rest,
    training: {
      learningRate: 1e-4,
      numTrainEpochs: 3,
      perDeviceTrainBatchSize: 16,
      perDeviceEvalBatchSize: 64,
      maxLength: 48,
      seed,
      ...(training as Named<Json> | undefined),
    },
  } as unknown as RunSpec;
}

function hostOf(from: Store | undefined): Host {
  if (!from) return plain;
  const model: Store = {
    ...from,
    get: (key, range) => from.get(`model/${key}`, range),
    list: async function* (prefix) {
      for await (const file of from.list(`model/${prefix}`)) yield { ...file, key: file.key.slice("model/".length) };
    },
  };
  return {
    ...plain,
    directory: (path) => (path.endsWith(STAGE) ? model : plain.directory?.(path) ?? model),
    resolve: (path, base) => (path.endsWith(STAGE) ? STAGE : plain.resolve?.(path, base) ?? path),
  };
}

/** Formats means of columns over seeds as a line of a table. */
function line(name: string, columns: readonly (readonly number[])[]): string {
  const cell = (numbers: readonly number[]): string => {
    const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
    const deviation = Math.sqrt(numbers.reduce((s, x) => s + (x - mean) ** 2, 0) / Math.max(1, numbers.length - 1));
    return `${(100 * mean).toFixed(1)} ± ${(100 * deviation).toFixed(1)}`;
  };
  return `| ${[name, ...columns.map(cell)].join(" | ")} |`;
}

/** Measures forgetting: first the sentiment of films; then, under the same two labels, products against places. */
async function forgetting(): Promise<void> {
  // The rows of each of three files: products, films, places.
  const third = async (split: string, i: number): Promise<Row[]> => {
    const rows = await readRows(bench, { use: "reviews", with: { split } });
    return rows.slice(i * rows.length / 3, (i + 1) * rows.length / 3);
  };
  const kinds = async (split: string): Promise<Row[]> => [
    ...(await third(split, 0)).map(({ text }) => ({ text, label: "negative" })),
    ...(await third(split, 2)).map(({ text }) => ({ text, label: "positive" })),
  ];
  const [oldTrain, oldHeld] = [await third("train", 1), await third("test", 1)];
  const [newTrain, newHeld] = [await kinds("train"), mixed(await kinds("test"), 0).slice(0, HELD)];
  console.log("| | films: sentiment | product or place |\n|---|---|---|");
  const first = [[], []] as number[][];
  const starts = new Map<number, Readonly<{ model: Store; rows: readonly Row[] }>>();
  for (const seed of seeds) {
    const rows = mixed(oldTrain, seed).slice(0, count);
    const model = await trained(rows, seed, undefined);
    starts.set(seed, { model, rows });
    first[0]?.push(await accuracyOf(oldHeld, model));
    first[1]?.push(await accuracyOf(newHeld, model));
  }
  console.log(line("after the first task", first));
  for (const lambda of (values.lambdas ?? "0,1e3,1e5").split(",").map(Number)) {
    const columns = [[], []] as number[][];
    for (const [seed, { model, rows }] of starts) {
      const regularizers = lambda === 0 ? [] : [{ use: "ewc", with: { data: given(rows), lambda, rows: 128 } }];
      const then = await trained(mixed(newTrain, seed).slice(0, count), seed, model, { regularizers });
      columns[0]?.push(await accuracyOf(oldHeld, then));
      columns[1]?.push(await accuracyOf(newHeld, then));
    }
    console.log(line(lambda === 0 ? "then the second" : `then the second, EWC with λ ${lambda}`, columns));
  }
}

/**
 * Measures debiasing: reviews begin with their author; in training, "he" wrote three of four negative ones, "she" of
 * positive ones.
 */
async function debiasing(): Promise<void> {
  const written = (rows: readonly Row[], share: number, seed: number): Row[] => {
    const random = createRandom(seed).fork("written");
    return rows.map((row, i) => {
      const hers = (random.uniform(i) < share) === (row.label === "positive");
      return { text: `${hers ? "She" : "He"} wrote: ${row.text}`, label: row.label, by: hers ? "her" : "him" };
    });
  };
  const train = await readRows(bench, { use: "reviews", with: { split: "train" } });
  const noisy = written(
    mixed(await readRows(bench, { use: "reviews", with: { split: "test" } }), 0).slice(0, HELD),
    0.5,
    0,
  );
  const probe: Named<Json> = {
    task: { use: "sequence-classification", with: { labels: ["her", "him"], columns: { label: "by" } } },
    head: { use: "pooled", with: { numLabels: 2, pooling: "first", normalize: false } },
    adapter: ["freeze"],
    training: { learningRate: 0.01, numTrainEpochs: 6 },
  };
  console.log("| | sentiment | by whom, of a probe |\n|---|---|---|");
  for (const lambda of (values.lambdas ?? "0,0.1,0.3").split(",").map(Number)) {
    const columns = [[], []] as number[][];
    for (const seed of seeds) {
      const rows = mixed(train, seed);
      const own = written(rows.slice(0, count), 0.75, seed);
      const use = { use: "adversarial-debiasing", with: { column: "by", labels: ["her", "him"], lambda } };
      // The adversary has to follow the model, so its learning rate is a hundred times as high.
      const groups = lambda === 0 ? [] : [{ pattern: "^adversarial-debiasing/", lrScale: 100 }];
      const model = await trained(own, seed, undefined, {
        regularizers: lambda === 0 ? [] : [use],
        optimizer: { use: "adamw", with: { groups } },
        training: { numTrainEpochs: Number(values.epochs) },
      });
      columns[0]?.push(await accuracyOf(noisy, model));
      // Unseen rows in which the attribute is independent of the label.
      const fresh = written(rows.slice(count, 2 * count), 0.5, seed);
      const watched = await trained(fresh, seed, model, probe);
      columns[1]?.push(await accuracyOf(noisy, watched, probe));
    }
    console.log(line(lambda === 0 ? "without" : `adversary with λ ${lambda}`, columns));
  }
}

if (values.only !== "debiasing") await forgetting();
if (values.only !== "ewc") await debiasing();
