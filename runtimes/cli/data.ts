/** `attune data`: reports on a spec's data, and writes the rows as they will be trained. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { AttuneError, badFile, missing } from "../../core/base/errors.ts";
import { type OpenRun, openTasks } from "../../core/run/open/open.ts";
import { splitNames } from "../../core/spec/run_data.ts";
import type { Host, Json, Named, Row, Rows, SplitName } from "../../core/types.ts";
import { type DataOptions, limitedRows } from "../data/limited_rows.ts";
import { type DataReport, reportData } from "../data/report.ts";
import { reportLines } from "../data/text.ts";
import { composed } from "../host/plugin_packages.ts";
import { isDirectory, readSpec, specPath } from "../host/spec_file.ts";
import { hostHere } from "../host/train.ts";
import { exitCodes } from "./exit.ts";

/** Options of `attune data`. */
export type DataCommandOptions = Readonly<{
  rows?: number;
  labels?: boolean;
  predictions?: string;
  near?: boolean;
  tokens?: boolean;
  write?: string;
  overwrite?: boolean;
  html?: string;
  json?: boolean;
  set?: readonly string[];
}>;

/** Reports on the data of a spec, and returns the exit code. */
export async function dataCommand(path: string, options: DataCommandOptions): Promise<number> {
  if (options.write !== undefined) refuseFull(resolve(options.write), options.overwrite === true);
  if (options.html !== undefined && isDirectory(options.html)) {
    const details = { code: "USAGE", plugin: "data", path: options.html };
    throw new AttuneError(`${options.html} is a directory: --html names a file`, details);
  }
  const spec = await readSpec(await specPath(path), options.set);
  const host = await hostHere();
  const tasks = await openTasks(await composed(spec), host);
  const reports: Record<string, DataReport> = {};
  for (const open of tasks) {
    const looked: DataOptions = {
      ...(options.rows === undefined ? {} : { rows: options.rows }),
      near: options.near === true,
      tokens: options.tokens === true,
    };
    const report = await reportData(open, looked);
    const isJudged = options.labels === true || options.predictions !== undefined;
    const labels = isJudged
      ? await labelsOf(spec, open, host, { ...looked, predictions: options.predictions })
      : undefined;
    reports[open.task.name] = labels ? { ...report, labels } : report;
    if (options.write !== undefined) {
      await writeRows(
        open,
        host,
        resolve(options.write, open.task.name),
        looked,
        reports[open.task.name] as DataReport,
      );
    }
  }
  const named = Object.entries(reports);
  const [[, only] = ["", undefined]] = named;
  const whole = named.length === 1 && only ? only : { tasks: reports };
  if (options.html !== undefined) {
    const { renderData } = await import("../data/page.ts");
    const file = resolve(options.html);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, renderData(typeof spec.name === "string" ? spec.name : "data", named));
  }
  if (options.json) process.stdout.write(JSON.stringify(whole) + "\n");
  else {
    const width = process.stdout.columns ?? 100;
    for (const [name, report] of named) {
      if (named.length > 1) process.stdout.write(`task ${name}\n\n`);
      process.stdout.write(reportLines(report, width).join("\n") + "\n");
    }
    for (const file of [options.html, options.write]) {
      if (file !== undefined) process.stdout.write(`written      ${resolve(file)}\n`);
    }
  }
  return exitCodes.done;
}

/** Throws AttuneError if rows would overwrite existing files. */
function refuseFull(folder: string, isAllowed: boolean): void {
  if (!existsSync(folder)) return;
  const details = { code: "USAGE", plugin: "data", path: folder };
  if (!isDirectory(folder)) throw new AttuneError(`${folder} is a file: --write names a directory`, details);
  if (isAllowed || readdirSync(folder).length === 0) return;
  throw new AttuneError(`${folder} is not empty: pass --overwrite to replace its files, or another --write`, details);
}

/** Writes the rows of each split as they will be trained, and data.json beside them. */
async function writeRows(
  { data }: OpenRun,
  host: Host,
  folder: string,
  options: DataOptions,
  report: DataReport,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const name of splitNames) {
    const dataset = data[name];
    if (dataset) await writeLines(await dataset.open(host), join(folder, `${name}.jsonl`), options);
  }
  writeFileSync(join(folder, "data.json"), JSON.stringify(report, null, 2) + "\n");
}

/** Number of characters that are written at once. */
const PIECE = 2 ** 20;

/** Writes rows as JSON lines, under another name until all are there: they may come from the file that is replaced. */
async function writeLines(rows: Rows, path: string, options: DataOptions): Promise<void> {
  const file = await openFile(`${path}.part`, "w");
  try {
    let [lines, size]: [string[], number] = [[], 0];
    const write = async (): Promise<void> => {
      await file.writeFile(lines.join(""));
      [lines, size] = [[], 0];
    };
    for await (const { row } of limitedRows(rows, options)) {
      const line = JSON.stringify(row) + "\n";
      lines.push(line);
      size += line.length;
      if (size >= PIECE) await write();
    }
    await write();
  } finally {
    await file.close();
  }
  renameSync(`${path}.part`, path);
}

type LabelOptions = DataOptions & Readonly<{ predictions: string | undefined }>;

/** Finds doubtful labels: by saved predictions, or else by folds that are trained in a temporary folder. */
async function labelsOf(
  spec: Named<Json>,
  open: OpenRun,
  host: Host,
  options: LabelOptions,
): Promise<DataReport["labels"]> {
  const { data } = open;
  if (!data.train) throw missing("spec", "the data whose labels are judged", "data.train");
  const folder = mkdtempSync(join(tmpdir(), "attune-labels-"));
  const { doubtedLabels } = await import("../data/label_folds.ts");
  const { runsHere } = await import("../study/runs.ts");
  const store = host.directory?.(folder);
  if (!store) throw missing("data", "access to files", host.runtime);
  const rows = join(folder, "rows.jsonl");
  const report = (text: string): void => void process.stderr.write(`${text}\n`);
  const runs = runsHere(folder, 1);
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once("SIGINT", interrupt);
  try {
    const saved = await savedLabels(open, host, options, { rows, report });
    if (saved) return saved;
    await writeLines(await data.train.open(host), rows, options);
    return await doubtedLabels({ spec, rows, store, runs, host, signal: abort.signal, report });
  } finally {
    process.off("SIGINT", interrupt);
    await runs.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Finds doubtful labels by named predictions, or those that a cross-validation has left; undefined: there are none. */
async function savedLabels(
  open: OpenRun,
  host: Host,
  options: LabelOptions,
  { rows, report }: Readonly<{ rows: string; report: (text: string) => void }>,
): Promise<DataReport["labels"] | undefined> {
  const { predictionsFile, readScores, splitOfScores } = await import("../data/saved_predictions.ts");
  const { classesOf, issuesIn } = await import("../data/label_folds.ts");
  const predictions = options.predictions === undefined ? undefined : resolve(options.predictions);
  const file = predictionsFile(predictions ?? resolve("runs", open.run.name, "folds"));
  if (file === undefined) {
    if (predictions === undefined) return undefined;
    throw badFile(
      "data",
      predictions,
      "has no predictions.jsonl, of folds or of a run (attune evaluate --predictions)",
    );
  }
  const classes = classesOf(open);
  const { columns } = open.collator;
  const opened: { name: SplitName; rows: AsyncIterable<Readonly<{ row: Row }>>; source: Rows }[] = [];
  for (const name of splitNames) {
    const source = await open.data[name]?.open(host);
    if (source) opened.push({ name, rows: limitedRows(source, options), source });
  }
  try {
    const { labels, scores } = readScores(file, classes);
    const split = await splitOfScores(file, { labels, scores }, classes, opened, columns?.others ?? ["label"]);
    report(`judging labels by ${file}, for ${split}`);
    const source = opened.find(({ name }) => name === split)?.source;
    if (source) await writeLines(source, rows, options);
    const judged = {
      numbers: labels.map((_, i) => i),
      labels: labels.map((label) => classes.indexOf(label)),
      probabilities: scores,
      path: rows,
    };
    return await issuesIn(judged, classes, { host, columns: columns?.texts, split, report });
  } catch (error) {
    // A file that was not named, but found, may be of other rows.
    if (predictions !== undefined || !(error instanceof AttuneError)) throw error;
    report(`${error.sentence}; training five folds instead`);
    return undefined;
  }
}
