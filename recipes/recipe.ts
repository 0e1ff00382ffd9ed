/**
 * What recipes share: options, rows from anywhere, and scores with what they are to be compared with.
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { compose } from "../core/compose.ts";
import { AttuneError, unknownName } from "../core/errors.ts";
import { evaluateRun } from "../core/run/evaluate.ts";
import { openRun } from "../core/run/open.ts";
import type { Json, Named, Row, RunSpec, TrainingArguments } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { exitCode } from "../runtimes/cli/exit.ts";
import { trainSpec } from "../runtimes/cli/run.ts";
import { hostHere } from "../runtimes/train.ts";

// What a recipe throws is said as the command line says it.
process.on(
  "uncaughtException",
  (error) => void exitCode(() => Promise.reject(error)).then((code) => process.exit(code)),
);

/** Options of every recipe, as `--max-length 128`. */
const common = {
  /** A directory, a name of the hub, or `attune:base`. */
  model: { type: "string", default: "attune:base" },
  /** An adapter's name, as "lora"; none: all of the model trains. */
  adapter: { type: "string" },
  /** Where rows come from; see {@link dataOf}. */
  data: { type: "string" },
  /** A data set's configuration, and the names of its splits. */
  config: { type: "string" },
  "train-split": { type: "string", default: "train" },
  "eval-split": { type: "string", default: "test" },
  /** At most so many rows to train on, and a quarter as many to measure on. */
  rows: { type: "string" },
  epochs: { type: "string" },
  steps: { type: "string", default: "-1" },
  rate: { type: "string" },
  batch: { type: "string" },
  "max-length": { type: "string" },
  seed: { type: "string", default: "42" },
} as const satisfies ParseArgsOptionsConfig;

type Values<T extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: T }>>["values"];

/** What a command line says. */
export type Settings = Values<typeof common> & Readonly<{ output: string }>;

/** The options of a recipe's command line, `own` among them. */
export function settingsOf<T extends ParseArgsOptionsConfig>(name: string, own?: T): Settings & Values<T> {
  const folder = `${name}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}`;
  const options: ParseArgsOptionsConfig = { ...common, output: { type: "string", default: `runs/${folder}` }, ...own };
  return parseArgs({ options }).values as Settings & Values<T>;
}

/** What says which rows. */
export type DataSettings = Partial<Pick<Settings, "data" | "rows" | "seed" | "config" | "train-split" | "eval-split">>;

/** Rows to train on and to measure on, as parts of a run spec. */
export type Data = Readonly<{ train: Named<Json>; eval: Named<Json> }>;

/**
 * What `--data` names: `hub:org/name` (or `hub:imdb`), a file (.jsonl, .json, .csv, .parquet), a fifth of whose rows are
 * held out, or a data plugin that has splits; without it, `most` of the recipe's own rows. `--rows` takes others, in a
 * seeded order.
 */
export function dataOf(settings: DataSettings, own: Data, most?: number, mostHeld?: number): Data {
  const { data, seed = "42", rows = data === undefined ? most : undefined } = settings;
  const part = (which: keyof Data): Named<Json> => {
    const all = data === undefined ? own[which] : named(data, which, settings);
    if (rows === undefined) return all;
    const quarter = Math.ceil(Number(rows) / 4);
    const limit = which === "train" ? Number(rows) : settings.rows === undefined ? mostHeld ?? quarter : quarter;
    return { use: "take", with: { limit, source: { use: "shuffle", with: { source: all, seed: Number(seed) } } } };
  };
  return { train: part("train"), eval: part("eval") };
}

function named(data: string, which: keyof Data, settings: DataSettings): Named<Json> {
  const split = settings[`${which}-split`] ?? common[`${which}-split`].default;
  if (data.startsWith("hub:")) {
    return { use: "hub", with: { path: data.slice(4), name: settings.config ?? null, split } };
  }
  const kind = extname(data).slice(1);
  if (["jsonl", "json", "csv", "parquet"].includes(kind)) {
    const source = { use: kind, with: { path: resolve(data) } };
    return { use: "split", with: { source, part: which === "train" ? "train" : "test", testSize: 0.2 } };
  }
  if (catalog.dataset?.[data]) return { use: data, with: { split } };
  const known = ["hub:org/name", "rows.jsonl", "rows.json", "rows.csv", "rows.parquet", "reviews", "brown"];
  throw unknownName("recipe", "--data", "data set", data, known);
}

/** The rows of a data set. */
export async function rowsOf(data: Named<Json>): Promise<Row[]> {
  const model = { use: "random", with: { config: { model_type: "bert" } } };
  const run = compose({ version: 1, model, task: "masked-lm", data: { train: data as { use: string } } }, catalog);
  const rows: Row[] = [];
  for await (const { row } of (await run.data.train?.open(await hostHere()))?.read() ?? []) rows.push(row);
  return rows;
}

/** Writes rows that a recipe makes into its output; gives them as a data set. */
export function written(settings: Settings, name: string, rows: readonly Row[]): Named<Json> {
  const path = resolve(settings.output, "data", `${name}.jsonl`);
  mkdirSync(resolve(settings.output, "data"), { recursive: true });
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n") + "\n");
  return { use: "jsonl", with: { path } };
}

/** The names in a column, sorted; of numbers nothing is known but how many there are. */
export function labelsIn(
  rows: readonly Row[],
  column = "label",
): Readonly<{ labels: string[] } | { numLabels: number }> {
  const values = new Set(rows.map((row) => row[column]));
  if (values.has(undefined)) throw unknownName("recipe", "--data", "column", column, Object.keys(rows[0] ?? {}));
  const numbers = [...values].filter((value) => typeof value === "number");
  return numbers.length === values.size
    ? { numLabels: Math.max(...numbers) + 1 }
    : { labels: [...values].map(String).sort() };
}

/** Arguments of training: the recipe's own, and over these what the command line says. */
export function trainingOf(settings: Settings, own: Partial<TrainingArguments>): Named<Json> {
  const { rate, epochs, batch, "max-length": maxLength } = settings;
  return {
    perDeviceTrainBatchSize: 16,
    evalStrategy: "epoch",
    loggingSteps: 50,
    ...own,
    ...(rate === undefined ? {} : { learningRate: Number(rate) }),
    ...(epochs === undefined ? {} : { numTrainEpochs: Number(epochs) }),
    ...(batch === undefined ? {} : { perDeviceTrainBatchSize: Number(batch) }),
    ...(maxLength === undefined ? {} : { maxLength: Number(maxLength) }),
    maxSteps: Number(settings.steps),
    seed: Number(settings.seed),
  };
}

/** Trains a spec into a folder of the output, and gives the final metrics. Ends the process where that fails. */
export async function trained(
  spec: Named<Json>,
  settings: Settings,
  folder = "run",
): Promise<Named<number> & Readonly<{ tasks?: Named<Named<number>> }>> {
  const output = join(settings.output, folder);
  const code = await trainSpec({ version: 1, schedule: { use: "linear", with: { warmupSteps: 0.1 } }, ...spec }, {
    output,
  });
  if (code !== 0) process.exit(code);
  return JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));
}

/** Metrics of a spec's model as it is, on the rows to measure on. */
export async function evaluated(spec: Named<Json>): Promise<Named<number>> {
  const run = compose({ version: 1, ...spec } as unknown as RunSpec, catalog);
  return run.data.eval ? await evaluateRun(await openRun(run, await hostHere()), run.data.eval) : {};
}

/** Prints scores under each other: what was measured, then what to compare it with. */
export function printScores(name: string, scores: Named<number>): void {
  const width = Math.max(name.length, ...Object.keys(scores).map((key) => key.length));
  console.log(`\n${name.padEnd(width)}  score`);
  for (const [key, value] of Object.entries(scores)) console.log(`${key.padEnd(width)}  ${value.toFixed(4)}`);
}

/** The value that is most frequent, and its share. Throws AttuneError where there are no values. */
export function mostFrequent(values: readonly string[]): Readonly<{ value: string; share: number }> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  if (!best) throw new AttuneError("There are no rows to measure on", { code: "EMPTY_DATA", plugin: "recipe" });
  return { value: best[0], share: best[1] / values.length };
}
