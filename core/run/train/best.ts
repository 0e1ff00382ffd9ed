/** The best weights of each task: the metric that selects them, and their names in a checkpoint. */
import type { SavedTensors } from "../../engine/state/saved.ts";
import { unknownName } from "../../base/errors.ts";
import type { Metric, Run, Subtask } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import type { OpenRun } from "../open/open.ts";

/** The metric that compares evaluations of a task. */
export type BestMetric = Readonly<{ task: string; name: string; greaterIsBetter: boolean }>;

/**
 * Returns the metric that selects each task's best weights: the one that the run names if the task has it, otherwise
 * the task's loss. Throws AttuneError if no task has the named metric.
 */
export function selectBestMetrics({ training, callbacks }: Run, tasks: readonly OpenRun[]): BestMetric[] {
  const requested = training.metricForBestModel?.replace(/^eval_/, "") ?? "loss";
  const all = metricNames(tasks);
  const selected = tasks.map(({ task, metrics }): BestMetric & { isKnown: boolean } => {
    const metric = requested.startsWith(taskPrefix(task)) ? requested.slice(taskPrefix(task).length) : requested;
    const known = metrics.find((m) => {
      const keys = keysOf(m);
      // A metric whose keys depend on the data has none yet, so only its name can be compared.
      return keys.includes(metric) || (keys.length === 0 && metric.startsWith(m.name));
    });
    const greater = training.greaterIsBetter ?? known?.greaterIsBetter ?? false;
    return known || metric === "loss"
      ? { task: task.name, name: taskPrefix(task) + metric, greaterIsBetter: greater, isKnown: true }
      : { task: task.name, name: `${taskPrefix(task)}loss`, greaterIsBetter: false, isKnown: false };
  });
  if (tasks.length === 0) return selected;
  if (!selected.some((judge) => judge.isKnown)) {
    throw unknownName("spec", "training.metricForBestModel", "metric", requested, all);
  }
  callbacks.forEach((callback, i) => {
    const name = callback.needsEvaluation?.(training);
    if (name === undefined || all.includes(name) || tasks.some((open) => mayGive(open, name))) return;
    throw unknownName("spec", `callbacks.${i}.with.metric`, "metric", name, all);
  });
  return selected;
}

/** Returns the names of an evaluation's metrics, as far as they are known in advance. */
function metricNames(tasks: readonly OpenRun[]): string[] {
  const names = tasks.flatMap(({ task, metrics }) =>
    ["loss", ...metrics.flatMap(keysOf)].map((key) => taskPrefix(task) + key)
  );
  return [...new Set(["loss", ...names])];
}

/** Whether one of a task's metrics has keys that depend on the data and may include this name. */
function mayGive({ task, metrics }: OpenRun, name: string): boolean {
  return metrics.some((metric) => keysOf(metric).length === 0 && name.startsWith(taskPrefix(task) + metric.name));
}

/** Returns the prefix of a task's metrics in a run of several tasks. */
function taskPrefix({ name }: Subtask): string {
  return name === "" ? "" : `${name}_`;
}

function keysOf(metric: Metric): string[] {
  return Object.keys(metric.compute(metric.init()));
}

/** Returns the best weights of all tasks under the names that a checkpoint uses; undefined if there are none. */
export function joinedBest(best: ReadonlyMap<string, SavedTensors>): SavedTensors | undefined {
  if (best.size === 0) return undefined;
  return Object.fromEntries(
    [...best].flatMap(([task, tensors]) => Object.entries(tensors).map(([name, t]) => [bestName(task, name), t])),
  );
}

/** Returns the best weights of each task from a checkpoint: the inverse of `joinedBest`. */
export function splitBest(saved: SavedTensors, tasks: readonly TaskRows[]): Map<string, SavedTensors> {
  const best = new Map<string, SavedTensors>();
  for (const { open: { task } } of tasks) {
    const prefix = bestName(task.name, "");
    const entries = Object.entries(saved).filter(([name]) => name.startsWith(prefix));
    if (entries.length > 0) {
      best.set(task.name, Object.fromEntries(entries.map(([name, t]) => [name.slice(prefix.length), t])));
    }
  }
  return best;
}

function bestName(task: string, name: string): string {
  return task === "" ? name : `${task}|${name}`;
}
