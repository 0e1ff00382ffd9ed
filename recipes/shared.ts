/** Shared parts of recipes: data sets, training arguments, and scores with baselines. */
import { compose } from "../core/spec/compose.ts";
import { AttuneError, badSpec, badValue, unknownName } from "../core/base/errors.ts";
import { resolvePart } from "../core/spec/resolve_part.ts";
import { evaluateRun } from "../core/run/evaluate/evaluate.ts";
import { openRun } from "../core/run/open/open.ts";
import type { Json, Named, Row, RunSpec, TrainingArguments } from "../core/types.ts";
import { columnsOf, common, type Data, type Settings } from "./options.ts";
import type { Scores } from "./recipe.ts";
import { folderOf, type Metrics, type Workbench } from "./workbench.ts";
import { readJson } from "../core/files/json_files.ts";
import { collect } from "../core/base/collect.ts";

/** Settings that select rows. */
export type DataSettings = Readonly<
  Partial<Pick<Settings, "data" | "rows" | "seed" | "config" | "trainSplit" | "evalSplit" | "test" | "testSplit">>
>;

/** Rows of labelled review sentences. */
export const reviews: Data = {
  train: { use: "reviews", with: { split: "train" } },
  eval: { use: "reviews", with: { split: "test" } },
};

/** Returns data sets of the Brown corpus. */
export function brown(options: Named<Json> = {}): Data {
  return {
    train: { use: "brown", with: { split: "train", ...options } },
    eval: { use: "brown", with: { split: "test", ...options } },
  };
}

/** Paragraphs of five genres of the Brown corpus. */
export const genres: Data = brown({
  unit: "paragraph",
  genres: ["news", "hobbies", "learned", "religion", "romance"],
});

/**
 * Returns the data sets that `--data` names: `hub:org/name` (or `hub:imdb`), a file (.jsonl, .json, .csv, .parquet) of
 * which a fifth of the rows is held out, or a data plugin with splits; without it, `most` of the recipe's own rows.
 * `--rows` limits their number, in a seeded order. `--test` adds rows for the final report.
 */
export async function resolveData(
  bench: Workbench,
  settings: DataSettings,
  builtIn: Data | (() => Promise<Data>),
  most?: number,
  mostHeld?: number,
): Promise<Data> {
  const { data, seed = common.seed.default, rows = data === undefined ? most : undefined } = settings;
  const whole = data !== undefined
    ? typeof data === "string" ? await resolveNamed(bench, data, settings) : data
    : typeof builtIn === "function"
    ? await builtIn()
    : builtIn;
  const part = (which: "train" | "eval"): Named<Json> => {
    const all = whole[which];
    if (rows === undefined) return all;
    const quarter = Math.ceil(rows / 4);
    const limit = which === "train" ? rows : settings.rows === undefined ? mostHeld ?? quarter : quarter;
    return { use: "take", with: { limit, source: { use: "shuffle", with: { source: all, seed } } } };
  };
  return withTest(bench, { ...whole, train: part("train"), eval: part("eval") }, settings);
}

/** Returns data with the test rows that `--test` names. Throws AttuneError if it names no rows. */
async function withTest(bench: Workbench, data: Data, settings: DataSettings): Promise<Data> {
  const { test, testSplit = common.testSplit.default, seed = common.seed.default } = settings;
  if (test === undefined) return data;
  const share = Number(test);
  if (Number.isNaN(share)) {
    const { eval: named } = await resolveNamed(bench, test, { ...settings, evalSplit: testSplit }, "--test");
    // All rows of a file are test rows, so it is not split.
    return { ...data, test: named.use === "split" ? (named.with as Named<Json>).source as Named<Json> : named };
  }
  if (!(share > 0 && share < 1)) {
    throw badValue("recipe", "--test", test, "a share above 0 and below 1, or rows as --data");
  }
  const half = (part: "train" | "test"): Named<Json> => ({
    use: "split",
    with: { source: data.eval, part, testSize: share, seed },
  });
  return { ...data, eval: half("train"), test: half("test") };
}

/** Returns the data set of the reported scores. */
export function reported(data: Data): Named<Json> {
  return data.test ?? data.eval;
}

async function resolveNamed(
  bench: Workbench,
  data: string,
  settings: DataSettings,
  flag: string = "--data",
): Promise<Data> {
  const { trainSplit = common.trainSplit.default, evalSplit = common.evalSplit.default, config = null } = settings;
  const both = (part: (split: string, which: "train" | "test") => Named<Json>): Data => ({
    train: part(trainSplit, "train"),
    eval: part(evalSplit, "test"),
  });
  if (data.startsWith("hub:")) {
    return both((split) => ({ use: "hub", with: { path: data.slice(4), name: config, split } }));
  }
  const [, kind] = /\.(jsonl|json|csv|parquet)$/.exec(data) ?? [];
  if (kind !== undefined) {
    const { resolve } = await bench.host();
    const source = { use: kind, with: { path: resolve?.(data) ?? data } };
    return both((_, part) => ({ use: "split", with: { source, part, testSize: 0.2 } }));
  }
  if (Object.hasOwn((await bench.catalog()).data ?? {}, data)) return both((split) => ({ use: data, with: { split } }));
  const known = ["hub:org/name", "rows.jsonl", "rows.json", "rows.csv", "rows.parquet", "reviews", "brown"];
  throw unknownName("recipe", flag, "data set", data, known);
}

/** Reads the rows of a data set. Throws AttuneError if no plugin reads it. */
export async function readRows(bench: Pick<Workbench, "host" | "catalog">, data: Named<Json>): Promise<Row[]> {
  const issues: AttuneError[] = [];
  const dataset = resolvePart("data", data, "data", { catalog: await bench.catalog(), issues });
  if (!dataset) throw badSpec(issues);
  return (await collect((await dataset.open(await bench.host())).read())).map(({ row }) => row);
}

/** Reads the rows of all of a recipe's data sets. */
export async function readAll(bench: Pick<Workbench, "host" | "catalog">, data: Data): Promise<Row[]> {
  const parts = [data.train, data.eval, ...(data.test ? [data.test] : [])];
  return (await Promise.all(parts.map((part) => readRows(bench, part)))).flat();
}

/** Makes rows from other rows, writes them into the output, and returns them as a data set. */
export async function makeRows(
  bench: Workbench,
  { output }: Pick<Settings, "output">,
  from: Data,
  make: (rows: readonly Row[]) => readonly Row[],
): Promise<Data> {
  const host = await bench.host();
  const folder = pathIn(output, "data");
  const write = async (which: keyof Data): Promise<Named<Json>> => {
    const rows = make(await readRows(bench, from[which] ?? from.eval));
    const text = rows.map((row) => JSON.stringify(row)).join("\n") + "\n";
    await folderOf(host, folder).put(`${which}.jsonl`, new TextEncoder().encode(text));
    const path = pathIn(folder, `${which}.jsonl`);
    return { use: "jsonl", with: { path: host.resolve?.(path) ?? path } };
  };
  const parts = { train: await write("train"), eval: await write("eval") };
  return from.test ? { ...parts, test: await write("test") } : parts;
}

/** Returns the path of a name in a folder. */
export function pathIn(folder: string, name: string): string {
  return `${folder.replace(/\/+$/, "")}/${name}`;
}

/** Returns the sorted class names in a column; for numbers, only the number of classes. */
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

/** Returns the column names of classified texts. */
export function classColumns(
  settings: Pick<Settings, "columns" | "data"> & Readonly<{ text?: string | undefined; label?: string | undefined }>,
): Named<string> & Readonly<{ text: string; label: string }> {
  const columns = columnsOf(settings);
  return {
    ...columns,
    text: columns.text ?? settings.text ?? "text",
    label: columns.label ?? settings.label ?? (settings.data === undefined ? "genre" : "label"),
  };
}

/** Returns training arguments: the recipe's own, overridden by the caller's settings. */
export function trainingArguments(
  settings: Pick<Settings, "rate" | "epochs" | "batch" | "maxLength" | "steps" | "seed">,
  own: Partial<TrainingArguments>,
): Named<Json> {
  const { rate, epochs, batch, maxLength, steps, seed } = settings;
  return {
    perDeviceTrainBatchSize: 16,
    evalStrategy: "epoch",
    loggingSteps: 50,
    ...own,
    ...(rate === undefined ? {} : { learningRate: rate }),
    ...(epochs === undefined ? {} : { numTrainEpochs: epochs }),
    ...(batch === undefined ? {} : { perDeviceTrainBatchSize: batch }),
    ...(maxLength === undefined ? {} : { maxLength }),
    maxSteps: steps,
    seed,
  };
}

/**
 * Trains a spec into a folder of the output, and returns the final metrics; with `resume`, finished work is not
 * repeated.
 */
export async function trainRecipe(
  bench: Workbench,
  spec: Named<Json>,
  { output, resume }: Pick<Settings, "output" | "resume">,
  folder = "run",
): Promise<Metrics> {
  const path = pathIn(output, folder);
  const whole = { version: 1, schedule: { use: "linear", with: { warmupSteps: 0.1 } }, ...spec };
  return resume && await readDone(bench, path, whole) || await bench.train(whole, { output: path, resume });
}

/** Returns the metrics of a folder whose run has finished with the length that a spec asks for; otherwise undefined. */
async function readDone(bench: Workbench, path: string, { training }: Named<Json>): Promise<Metrics | undefined> {
  const store = folderOf(await bench.host(), path);
  const [log, spec, metrics] = [
    await store.get("log.jsonl"),
    await readJson(store, "spec.json"),
    await readJson(store, "metrics.json"),
  ];
  if (!log || !spec || !metrics) return undefined;
  const end = JSON.parse(new TextDecoder().decode(log.bytes).trimEnd().split("\n").at(-1) ?? "{}");
  const { training: done } = spec as { training: Named<Json> };
  const { maxSteps = done.maxSteps, numTrainEpochs = done.numTrainEpochs } = (training ?? {}) as Named<Json>;
  const asLong = maxSteps === done.maxSteps && numTrainEpochs === done.numTrainEpochs;
  return end.type === "end" && ["done", "stopped"].includes(end.reason) && asLong ? metrics as Metrics : undefined;
}

/** Evaluates a spec's model without training it, on the test rows, or on the eval rows if there are none. */
export async function evaluateRecipe(bench: Workbench, spec: Named<Json>): Promise<Named<number>> {
  const run = compose({ version: 1, ...spec } as unknown as RunSpec, await bench.catalog());
  const rows = run.data.test ?? run.data.eval;
  return rows ? await evaluateRun(await openRun(run, await bench.host()), rows) : {};
}

/** Prints scores one below the other, the measured one first, then its baselines. Returns the scores. */
export function showScores(bench: Workbench, scores: Scores): Scores {
  for (const [name, values] of Object.entries(scores)) {
    const width = Math.max(name.length, ...Object.keys(values).map((key) => key.length));
    const lines = Object.entries(values).map(([key, value]) => `${key.padEnd(width)}  ${value.toFixed(4)}`);
    bench.say([`\n${name.padEnd(width)}  score`, ...lines].join("\n"));
  }
  return scores;
}

/** Returns the most frequent value and its share. Throws AttuneError if there are no values. */
export function mostFrequent(values: readonly string[]): Readonly<{ value: string; share: number }> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  if (!best) throw new AttuneError("There are no evaluation rows", { code: "EMPTY_DATA", plugin: "recipe" });
  return { value: best[0], share: best[1] / values.length };
}
