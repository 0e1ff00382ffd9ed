/** Combines the metrics of several tasks. */
import type { Json, Metric, Named } from "../../types.ts";
import type { OpenRun } from "../open/open.ts";

type Tasks = readonly Readonly<{ open: Pick<OpenRun, "task"> }>[];

/**
 * Returns all tasks' metrics in one map, prefixed with the task's name (`reviews_accuracy`), and `loss`, the weighted
 * mean of their losses. The metrics of a single unnamed task stay as they are.
 */
export function combineTaskMetrics(tasks: Tasks, byTask: ReadonlyMap<string, Named<number>>): Named<number> {
  const alone = byTask.get("");
  if (alone) return alone;
  const all: Record<string, number> = { loss: meanLoss(tasks, byTask) };
  for (const [task, metrics] of byTask) {
    for (const [name, value] of Object.entries(metrics)) all[`${task}_${name}`] = value;
  }
  return all;
}

/** Returns the content of metrics.json: `{ loss, tasks: { name: metrics } }`, or a single unnamed task's metrics. */
export function metricsFile(tasks: Tasks, byTask: ReadonlyMap<string, Named<Json>>): Json {
  return byTask.get("") ?? { loss: meanLoss(tasks, byTask), tasks: Object.fromEntries(byTask) };
}

function meanLoss(tasks: Tasks, byTask: ReadonlyMap<string, Named<Json>>): number {
  let [sum, weights] = [0, 0];
  for (const { open: { task: { name, weight = 1 } } } of tasks) {
    const loss = byTask.get(name)?.loss;
    if (typeof loss !== "number") continue;
    sum += weight * loss;
    weights += weight;
  }
  return weights > 0 ? sum / weights : 0;
}

/** Whether a metric reads generated text of a task that generates. */
export function readsText({ task }: OpenRun, metric: Metric): boolean {
  return task.generate !== undefined && metric.reads[0] === "text";
}

/** Whether a task generates text that no metric reads. */
export function generatesUnmeasured({ task, metrics }: OpenRun): boolean {
  return task.generate !== undefined && !metrics.some((metric) => metric.reads[0] === "text");
}
