/**
 * What recipes share: options, rows from anywhere, and scores with what they are to be compared with.
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import process from "node:process";
import { compose } from "../core/compose.ts";
import { AttuneError, unknownName } from "../core/errors.ts";
import { evaluateRun } from "../core/run/evaluate.ts";
import { openRun } from "../core/run/open.ts";
import type { Json, Named, Row, RunSpec, TrainingArguments } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { trainSpec } from "../runtimes/cli/run.ts";
import { makeFolderSync } from "../runtimes/host/make_folder.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { common, type Settings } from "./options.ts";

export { columnsOf, parseSettings, type Settings } from "./options.ts";

/** What says which rows. */
export type DataSettings = Readonly<
  Partial<Record<"data" | "rows" | "seed" | "config" | "train-split" | "eval-split", string | undefined>>
>;

/** Rows to train on and to measure on, as parts of a run spec. */
export type Data = Readonly<{ train: Named<Json>; eval: Named<Json> }>;

/**
 * What `--data` names: `hub:org/name` (or `hub:imdb`), a file (.jsonl, .json, .csv, .parquet), a fifth of whose rows are
 * held out, or a data plugin that has splits; without it, `most` of the recipe's own rows. `--rows` takes others, in a
 * seeded order.
 */
export function resolveData(settings: DataSettings, own: Data, most?: number, mostHeld?: number): Data {
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
  if (Object.hasOwn(catalog.data, data)) return { use: data, with: { split } };
  const known = ["hub:org/name", "rows.jsonl", "rows.json", "rows.csv", "rows.parquet", "reviews", "brown"];
  throw unknownName("recipe", "--data", "data set", data, known);
}

/** The rows of a data set. */
export async function readRows(data: Named<Json>): Promise<Row[]> {
  const model = { use: "random", with: { config: { model_type: "bert" } } };
  const run = compose({ version: 1, model, task: "masked-lm", data: { train: data as { use: string } } }, catalog);
  const rows: Row[] = [];
  for await (const { row } of (await run.data.train?.open(await hostHere()))?.read() ?? []) rows.push(row);
  return rows;
}

/** Writes rows that a recipe makes into its output; gives them as a data set. */
export function writeRows(settings: Settings, name: string, rows: readonly Row[]): Named<Json> {
  const path = resolve(settings.output, "data", `${name}.jsonl`);
  makeFolderSync(resolve(settings.output, "data"));
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n") + "\n");
  return { use: "jsonl", with: { path } };
}

/** The names in a column, sorted; of numbers nothing is known but how many there are. */
export function inferLabels(
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
export function trainingArguments(settings: Settings, own: Partial<TrainingArguments>): Named<Json> {
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

/**
 * Trains a spec into a folder of the output, and gives the final metrics; with `--resume` what is done there is not done
 * again. Ends the process where that fails.
 */
export async function trainRecipe(
  spec: Named<Json>,
  settings: Settings,
  folder = "run",
): Promise<Named<number> & Readonly<{ tasks?: Named<Named<number>> }>> {
  const output = join(settings.output, folder);
  const { resume } = settings;
  const whole = { version: 1, schedule: { use: "linear", with: { warmupSteps: 0.1 } }, ...spec };
  const code = resume && isDone(output, whole) ? 0 : await trainSpec(whole, { output, resume });
  if (code !== 0) process.exit(code);
  return JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));
}

/** Whether a folder holds a run that has come to its end, of the length that a spec asks for. */
function isDone(output: string, { training }: Named<Json>): boolean {
  const [log, spec] = ["log.jsonl", "spec.json"].map((name) => join(output, name)) as [string, string];
  if (!existsSync(log) || !existsSync(spec) || !existsSync(join(output, "metrics.json"))) return false;
  const end = JSON.parse(readFileSync(log, "utf8").trimEnd().split("\n").at(-1) ?? "{}");
  const { training: done } = JSON.parse(readFileSync(spec, "utf8"));
  const { maxSteps = done.maxSteps, numTrainEpochs = done.numTrainEpochs } = (training ?? {}) as Named<Json>;
  const asLong = maxSteps === done.maxSteps && numTrainEpochs === done.numTrainEpochs;
  return end.type === "end" && ["done", "stopped"].includes(end.reason) && asLong;
}

/** Metrics of a spec's model as it is, on the rows to measure on. */
export async function evaluateRecipe(spec: Named<Json>): Promise<Named<number>> {
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
