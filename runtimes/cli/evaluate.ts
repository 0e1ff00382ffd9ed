/** `attune evaluate`: figures with their confidence intervals, and the rows that they describe. */
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { compareStatistics, type Comparison, comparisonFile } from "../../core/evaluation/compare.ts";
import { evaluateRows, type Evaluation, resamplingOf } from "../../core/evaluation/evaluate_rows.ts";
import { predictionLine } from "../../core/evaluation/predictions.ts";
import type { MetricStatistics } from "../../core/statistics/metric_statistics.ts";
import { badFile, badValue, missing, unknownName } from "../../core/base/errors.ts";
import { notNumbers, whatOf } from "../../core/run/write/final_figures.ts";
import { createReservoir } from "../../core/run/evaluate/drawn_rows.ts";
import { combineTaskMetrics, metricsFile } from "../../core/run/evaluate/metrics.ts";
import { type OpenRun, openRun, openTasks } from "../../core/run/open/open.ts";
import type { Dataset, Example, Host, Json, Named } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { isDirectory, readRun, readSpec, taskNames } from "../host/spec_file.ts";
import { hostHere } from "../host/train.ts";
import { evaluationReport } from "./evaluation_report.ts";
import { exitCodes } from "./exit.ts";
import { rowsAt } from "./rows_at.ts";
import { openAnswers } from "./written_answers.ts";

/** Options of the command. */
export type EvaluateCommandOptions = Readonly<{
  data?: string;
  split?: "train" | "eval" | "test";
  task?: string;
  set?: readonly string[];
  intervals?: number;
  cluster?: string;
  compare?: string;
  by?: readonly string[];
  slices?: boolean;
  thresholds?: string;
  predictions?: string | true;
  report?: string;
  json?: boolean;
}>;

/** A task to evaluate, its rows, and their description. */
type Evaluated = Readonly<
  { name: string; open: OpenRun; data: Dataset; what: string; split?: "train" | "eval" | "test" }
>;

/**
 * Prints the figures of a trained run, or of a spec's untrained model, as JSON, by task if there are several. Returns 0
 * whatever the figures are.
 */
export async function evaluateCommand(path: string, options: EvaluateCommandOptions): Promise<number> {
  const { compare } = options;
  if (compare !== undefined && !isDirectory(compare)) throw missing("evaluate", "a run's output directory", compare);
  const host = await hostHere();
  const opened = (await openAll(path, options, host)).flatMap(({ name, open }) => dataOf(name, open, options) ?? []);
  if (opened.length === 0) {
    throw missing("evaluate", "data to evaluate on (--data, or data.test or data.eval of the spec)", path);
  }
  const files = new Map<string, Named<Json>>();
  const numbers = new Map<string, Named<number>>();
  for (const one of opened) {
    for (const note of one.open.task.notes ?? []) process.stderr.write(`${note}\n`);
    const { file, metrics } = await evaluateOne(one, path, options, host);
    files.set(one.name, file);
    numbers.set(one.name, metrics);
  }
  const tasks = opened.map(({ name, open }) => ({ open: { task: { ...open.task, name } } }));
  const whole = files.get("") ?? { ...metricsFile(tasks, files) as Named<Json> };
  if (files.size > 1) Object.assign(whole, { loss: combineTaskMetrics(tasks, numbers).loss ?? null });
  process.stdout.write((options.json ? JSON.stringify(whole) : JSON.stringify(whole, null, 2)) + "\n");
  return exitCodes.done;
}

async function openAll(
  path: string,
  options: EvaluateCommandOptions,
  host: Host,
): Promise<readonly Readonly<{ name: string; open: OpenRun }>[]> {
  const opened: Readonly<{ name: string; open: OpenRun }>[] = [];
  const taskNameOf = (name: string | undefined): string => (options.task === undefined ? name ?? "" : "");
  if (isDirectory(path)) {
    const names = options.task === undefined ? await taskNames(path) : [options.task];
    for (const task of names.length > 0 ? names : [undefined]) {
      opened.push({
        name: taskNameOf(task),
        open: await openRun(await composed(await readRun(path, task, options.set)), host),
      });
    }
    return opened;
  }
  const all = await openTasks(await composed(await readSpec(path, options.set)), host);
  const wanted = all.filter(({ task }) => options.task === undefined || task.name === options.task);
  if (wanted.length === 0) {
    throw unknownName("evaluate", "--task", "task", options.task ?? "", all.map((o) => o.task.name));
  }
  return wanted.map((open) => ({ name: taskNameOf(open.task.name), open }));
}

/** Returns the rows to evaluate on: the named ones, else test rows, else the run's evaluation rows. */
function dataOf(name: string, open: OpenRun, options: EvaluateCommandOptions): Evaluated | undefined {
  if (options.data !== undefined) {
    if (options.split !== undefined) {
      throw badValue("evaluate", "--split", options.split, "no --split together with --data");
    }
    const data = open.run.use("data", rowsAt(options.data));
    return { name, open, data, what: basename(options.data) };
  }
  const split = options.split ?? (open.data.test ? "test" : "eval");
  const data = open.data[split];
  if (data) return { name, open, data, split, what: split === "train" ? split : whatOf({ split }) ?? split };
  if (options.split === undefined) return undefined;
  throw missing("evaluate", `data.${split}`, `the spec (it has ${Object.keys(open.data).join(", ") || "none"})`);
}

async function evaluateOne(
  one: Evaluated,
  path: string,
  options: EvaluateCommandOptions,
  host: Host,
): Promise<Readonly<{ file: Named<Json>; metrics: Named<number> }>> {
  const { open, data, split, name } = one;
  const shown = createReservoir<Example>(REPORTED, open.run.training.seed);
  const wantsReport = options.report !== undefined;
  const predictions = await predictionsFile(one.name, path, options.predictions);
  const compares = options.compare !== undefined;
  const answers = options.compare === undefined
    ? undefined
    : openAnswers(answersOf(options.compare, name), open.task.labels ?? []);
  const answered = predictions || wantsReport
    ? (example: Example, groups: Named<Json>): void => {
      predictions?.add(predictionLine(example, groups));
      if (wantsReport) shown.add(example);
    }
    : undefined;
  const evaluation = await evaluateRows(open, data, {
    ...options,
    statistics: compares,
    generates: predictions !== undefined,
    answered,
    otherAnswer: answers?.next,
  }).catch(async (error) => {
    await predictions?.drop();
    throw error;
  });
  const written = await predictions?.end();
  const what = `${one.what}, ${evaluation.rows} ${evaluation.rows === 1 ? "row" : "rows"}`;
  const compared = options.compare === undefined ? undefined : compareStatistics(
    await statisticsOf(options.compare, one, evaluation, await answers?.end(evaluation.rows), options, host),
    evaluation.statistics,
    resamplingOf(options),
  );
  const { slices } = evaluation;
  const effect = options.thresholds === undefined
    ? undefined
    : await (await import("../../core/evaluation/threshold_effect.ts"))
      .thresholdEffect(open, options.thresholds, data, { shownOn: what });
  const file: Named<Json> = {
    ...evaluation.figures,
    // A file's name is left out: the same rows give the same output, whichever file they are in.
    ...(split ? { split, of: what } : {}),
    rows: evaluation.rows,
    ...(compared ? { compare: { with: options.compare ?? "", ...comparisonFile(compared) } } : {}),
    ...(slices ? { slices: slices as unknown as Json } : {}),
    ...(effect ? { thresholds: effect } : {}),
  };
  process.stderr.write(`${name === "" ? "" : `${name}: `}${what}\n`);
  tellRough(evaluation, compared);
  const { loss } = evaluation.metrics;
  if (loss !== undefined && !Number.isFinite(loss)) process.stderr.write(`${notNumbers}\n`);
  if (options.slices && !slices) process.stderr.write("no slices, because no metric is a mean over rows\n");
  const folder = name === "" ? "" : `${name}-`;
  if (written !== undefined) process.stderr.write(written);
  if (options.report !== undefined) {
    const at = name === ""
      ? resolve(options.report)
      : join(dirname(resolve(options.report)), folder + basename(options.report));
    const { metrics, rows } = evaluation;
    const page = await evaluationReport(open, host, { split, metrics, figures: file, examples: shown.items(), rows });
    await writeWithFolder(at, page);
    process.stderr.write(`report  ${at}\n`);
  }
  return { file, metrics: evaluation.metrics };
}

/** The most rows that a report shows; of more, a random sample is drawn. */
const REPORTED = 20_000;

/** Reports which intervals of figures and differences are rough. */
function tellRough({ rough }: Evaluation, compared: Comparison | undefined): void {
  const alike = Object.entries(compared?.differences ?? {}).flatMap(([key, { interval }]) =>
    interval?.rough ? [`compare.${key}`] : []
  );
  if (rough.length > 0) {
    const names = rough.map(shownPath).join(", ");
    process.stderr.write(`rough intervals, because fewer than 5 rows are right or wrong, or all are alike: ${names}\n`);
  }
  if (alike.length > 0) {
    const names = alike.map(shownPath).join(", ");
    process.stderr.write(`rough intervals, because all rows differ alike, or none differs: ${names}\n`);
  }
}

const shownPath = (path: string): string => path.replaceAll("\u0000", ".");

async function writeWithFolder(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Opens a file for predictions, which appears once complete; `end` returns a message. Undefined: none is asked for. */
async function predictionsFile(
  name: string,
  path: string,
  asked: string | true | undefined,
): Promise<Readonly<{ add(line: string): void; end(): Promise<string>; drop(): Promise<void> }> | undefined> {
  if (asked === undefined) return undefined;
  const folder = isDirectory(path) ? path : process.cwd();
  const prefix = name === "" ? "" : `${name}-`;
  const at = asked === true
    ? join(folder, `${prefix}predictions.jsonl`)
    : join(dirname(resolve(asked)), prefix + basename(asked));
  await mkdir(dirname(at), { recursive: true });
  const file = createWriteStream(`${at}.part`);
  const failed = new Promise<never>((_, reject) => file.on("error", reject));
  failed.catch(() => {});
  let lines = 0;
  const closed = (): Promise<void> => Promise.race([failed, new Promise<void>((done) => file.end(done))]);
  return {
    drop: async () => {
      await closed().catch(() => {});
      await rm(`${at}.part`, { force: true });
    },
    add: (line) => {
      lines++;
      file.write(`${line}\n`);
    },
    end: async () => {
      await closed();
      if (lines > 0) {
        await rename(`${at}.part`, at);
        return `predictions  ${at}\n`;
      }
      await rm(`${at}.part`);
      return "no predictions, because the task answers parts of rows, not whole rows\n";
    },
  };
}

function answersOf(folder: string, task: string): string {
  return join(folder, `${task === "" ? "" : `${task}-`}predictions.jsonl`);
}

/**
 * Returns another run's statistics on the same rows, from its saved answers if they fit, else from its model. `misfit`:
 * why they do not fit.
 */
async function statisticsOf(
  folder: string,
  { open, data, name }: Evaluated,
  evaluation: Evaluation,
  misfit: string | undefined,
  options: EvaluateCommandOptions,
  host: Host,
): Promise<readonly MetricStatistics[]> {
  if (evaluation.otherStatistics && misfit === undefined) return evaluation.otherStatistics;
  if (evaluation.kind && misfit !== undefined) {
    const file = answersOf(folder, name);
    if (!existsSync(join(folder, "spec.json"))) throw badFile("evaluate", file, `does not match these rows: ${misfit}`);
    process.stderr.write(`${file} does not match these rows: ${misfit}. Running the model next to it instead\n`);
  }
  const other = await openRun(await composed(await readRun(folder, name === "" ? options.task : name)), host);
  const [classes, names] = [open.task.labels ?? [], other.task.labels ?? []];
  if (names.join("\n") !== classes.join("\n")) {
    throw badValue("evaluate", "--compare", names, `a run of the same classes, ${classes.join(", ")}`);
  }
  // The other run is measured by the same metrics.
  const same: OpenRun = { ...other, metrics: open.metrics };
  const { statistics } = await evaluateRows(same, data, { by: options.by, cluster: options.cluster, statistics: true });
  return statistics;
}
