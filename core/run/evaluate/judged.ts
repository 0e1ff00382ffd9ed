/** The metric by which a search judges trials. */
import { missing, unknownName } from "../../base/errors.ts";
import { hasSplit } from "../../spec/run_data.ts";
import type { Metric, Run, Study, Subtask } from "../../types.ts";

/**
 * Returns whether a search minimizes or maximizes its metric: as the search says, otherwise as the metric itself says.
 *
 * @throws AttuneError if evaluations of the run have no such metric, or there are no eval rows.
 */
export function directionOf(run: Run): Study["direction"] {
  const { metric, direction } = run.search?.settings ?? { metric: "loss", direction: undefined };
  const tasks = run.task.subtasks;
  const isEvaluated = (task: typeof tasks[number]): boolean => hasSplit(task.data ?? run.data, "eval");
  if (!tasks.some(isEvaluated)) throw missing("spec", "the data that trials are judged by", "data.eval");
  const names: string[] = ["loss"];
  if (metric === "loss") return direction ?? "minimize";
  for (const task of tasks) {
    const metrics = metricsOf(run, task);
    const prefix = task.name === "" ? "" : `${task.name}_`;
    for (const one of metrics) {
      const keys = Object.keys(one.compute(one.init()));
      // A metric whose keys depend on the data has none yet, so only its name can be compared.
      const has = keys.includes(metric.slice(prefix.length)) ||
        (keys.length === 0 && metric.slice(prefix.length).startsWith(one.name));
      if (metric.startsWith(prefix) && has) return direction ?? (one.greaterIsBetter ? "maximize" : "minimize");
      names.push(...keys.map((key) => prefix + key));
    }
    if (metric === `${prefix}loss`) return direction ?? "minimize";
    if (prefix !== "") names.push(`${prefix}loss`);
  }
  throw unknownName("spec", "search.with.metric", "metric", metric, [...new Set(names)]);
}

/** Returns the metrics of one of a run's tasks. */
export function metricsOf(run: Run, task: Subtask): readonly Metric[] {
  return run.spec.metrics === undefined || task.data ? task.metrics.map((one) => run.use("metric", one)) : run.metrics;
}
