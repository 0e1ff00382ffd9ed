/** The best weights of each task: how they are told, and their names in a checkpoint. */
import type { SavedTensors } from "../../engine/state/saved.ts";
import { unknownName } from "../../base/errors.ts";
import type { Metric, Run, Subtask } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import type { OpenRun } from "../open/open.ts";

/** How evaluations of a task are compared. */
export type BestMetric = Readonly<{ task: string; name: string; greaterIsBetter: boolean }>;

/**
 * How each task's best weights are told: by the metric that the run names where the task has it, else by its loss.
 * Throws AttuneError if no task has it.
 */
export function selectBestMetrics({ training, callbacks }: Run, tasks: readonly OpenRun[]): BestMetric[] {
  const requested = training.metricForBestModel?.replace(/^eval_/, "") ?? "loss";
  const all = metricNames(tasks);
  const selected = tasks.map(({ task, metrics }): BestMetric & { isKnown: boolean } => {
    const metric = requested.startsWith(taskPrefix(task)) ? requested.slice(taskPrefix(task).length) : requested;
    const known = metrics.find((m) => {
      const keys = keysOf(m);
      // Of one that has its keys from what it sees, no more can be said yet.
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

/** What an evaluation gives of which it can be said before. */
function metricNames(tasks: readonly OpenRun[]): string[] {
  const names = tasks.flatMap(({ task, metrics }) =>
    ["loss", ...metrics.flatMap(keysOf)].map((key) => taskPrefix(task) + key)
  );
  return [...new Set(["loss", ...names])];
}

/** Whether one of a task's metrics has its keys from what it sees, and may come to see this one. */
function mayGive({ task, metrics }: OpenRun, name: string): boolean {
  return metrics.some((metric) => keysOf(metric).length === 0 && name.startsWith(taskPrefix(task) + metric.name));
}

/** What stands in front of a task's metrics among those of several. */
function taskPrefix({ name }: Subtask): string {
  return name === "" ? "" : `${name}_`;
}

function keysOf(metric: Metric): string[] {
  return Object.keys(metric.compute(metric.init()));
}

/** The best weights of each task, by the names that a checkpoint has for them. */
export function joinedBest(best: ReadonlyMap<string, SavedTensors>): SavedTensors | undefined {
  if (best.size === 0) return undefined;
  return Object.fromEntries(
    [...best].flatMap(([task, tensors]) => Object.entries(tensors).map(([name, t]) => [bestName(task, name), t])),
  );
}

/** The best weights of each task again, from a checkpoint. */
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
