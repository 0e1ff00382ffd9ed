/**
 * `attune data`: what a spec's data is like, and the rows as they will be trained.
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { missing } from "../../core/errors.ts";
import { type OpenRun, openTasks } from "../../core/run/open.ts";
import { splitNames } from "../../core/run_data.ts";
import type { Host, Json, Named, Rows } from "../../core/types.ts";
import { type DataOptions, passing } from "../data/passing.ts";
import { type DataReport, reportData } from "../data/report.ts";
import { reportLines } from "../data/text.ts";
import { composed } from "../host/plugin_packages.ts";
import { readSpec, specPath } from "../host/spec_file.ts";
import { hostHere } from "../host/train.ts";
import { exitCodes } from "./exit.ts";

/** Options of `attune data`. */
export type DataCommandOptions = Readonly<{
  rows?: number;
  labels?: boolean;
  near?: boolean;
  tokens?: boolean;
  write?: string;
  html?: string;
  json?: boolean;
  set?: readonly string[];
}>;

/** Looks at the data of a spec. */
export async function dataCommand(path: string, options: DataCommandOptions): Promise<number> {
  const spec = await readSpec(specPath(path), options.set);
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
    const labels = options.labels ? await labelsOf(spec, open, host, looked) : undefined;
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

/** Characters that are written at once. */
const PIECE = 2 ** 20;

async function writeLines(rows: Rows, path: string, options: DataOptions): Promise<void> {
  const file = await openFile(path, "w");
  try {
    let [lines, size]: [string[], number] = [[], 0];
    const write = async (): Promise<void> => {
      await file.writeFile(lines.join(""));
      [lines, size] = [[], 0];
    };
    for await (const { row } of passing(rows, options)) {
      const line = JSON.stringify(row) + "\n";
      lines.push(line);
      size += line.length;
      if (size >= PIECE) await write();
    }
    await write();
  } finally {
    await file.close();
  }
}

/** Trains folds of the training rows in a folder that goes away, and says which labels they doubt. */
async function labelsOf(
  spec: Named<Json>,
  { data }: OpenRun,
  host: Host,
  options: DataOptions,
): Promise<DataReport["labels"]> {
  if (!data.train) throw missing("spec", "the data whose labels are judged", "data.train");
  const folder = mkdtempSync(join(tmpdir(), "attune-labels-"));
  const { doubtedLabels } = await import("../data/label_folds.ts");
  const { runsHere } = await import("../study/runs.ts");
  const store = host.directory?.(folder);
  if (!store) throw missing("data", "access to files", host.runtime);
  const runs = runsHere(folder, 1);
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once("SIGINT", interrupt);
  try {
    const rows = join(folder, "rows.jsonl");
    await writeLines(await data.train.open(host), rows, options);
    const tell = (text: string): void => void process.stderr.write(`${text}\n`);
    return await doubtedLabels({ spec, rows, store, runs, host, signal: abort.signal, tell });
  } finally {
    process.off("SIGINT", interrupt);
    await runs.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
