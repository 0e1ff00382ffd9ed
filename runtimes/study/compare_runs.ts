/** Comparison of two runs on the same rows: the figures of each with intervals, and their differences. */
import { compareStatistics, comparisonFile } from "../../core/evaluation/compare.ts";
import { evaluateRows, type Evaluation, resamplingOf } from "../../core/evaluation/evaluate_rows.ts";
import { openRun } from "../../core/run/open/open.ts";
import { RESAMPLES } from "../../core/statistics/resamples.ts";
import type { Host, Json, Named } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { readRun, taskNames } from "../host/spec_file.ts";
import type { RunsCompared } from "./compared_figures.ts";

/** The parts of an evaluation that are compared. */
export type RunMeasured = Pick<Evaluation, "figures" | "rows" | "statistics">;

/** Compares two folders' runs on the test rows of both, task by task; a task without test rows is left out. */
export async function compareRuns(best: string, baseline: string, host: Host): Promise<RunsCompared> {
  const names = await taskNames(best);
  const tasks = (names.length > 0 ? names : [""]).map((name) => ({ name }));
  return await compareEach(tasks, async ({ name }) => {
    const task = name === "" ? undefined : name;
    const [own, other] = [await evaluated(best, task, host), await evaluated(baseline, task, host)];
    return own && other && [own, other];
  });
}

/** Compares the measurements of two runs, task by task; tasks without any are left out. */
export async function compareEach<T extends Readonly<{ name: string }>>(
  tasks: readonly T[],
  measure: (task: T) => Promise<readonly [own: RunMeasured, other: RunMeasured] | undefined>,
): Promise<RunsCompared> {
  const all: { [part in "best" | "default" | "difference"]: Record<string, Json> } = {
    best: {},
    default: {},
    difference: {},
  };
  let rows = 0;
  for (const task of tasks) {
    const [own, other] = await measure(task) ?? [];
    if (!own || !other) continue;
    rows += own.rows;
    const compared = compareStatistics(other.statistics, own.statistics, resamplingOf({}));
    const withTaskName = (figures: Named<Json>): Named<Json> =>
      task.name === ""
        ? figures
        : Object.fromEntries(Object.entries(figures).map(([key, value]) => [`${task.name}_${key}`, value]));
    Object.assign(all.best, withTaskName(own.figures));
    Object.assign(all.default, withTaskName(other.figures));
    Object.assign(all.difference, withTaskName(withMcnemar(comparisonFile(compared))));
  }
  return { rows, ...all };
}

async function evaluated(folder: string, task: string | undefined, host: Host): Promise<Evaluation | undefined> {
  const open = await openRun(await composed(await readRun(folder, task)), host);
  const { test } = open.data;
  return test && await evaluateRows(open, test, { intervals: RESAMPLES, statistics: true });
}

/** Places the result of McNemar's test beside the figure that it belongs to. */
function withMcnemar({ changed: _changed, mcnemar, ...differences }: Record<string, Json>): Named<Json> {
  const { metric, p, ...test } = (mcnemar ?? {}) as Named<Json>;
  const own = typeof metric === "string" ? differences[metric] as Named<Json> | undefined : undefined;
  return own ? { ...differences, [metric as string]: { ...own, p: p ?? null, mcnemar: test } } : differences;
}
