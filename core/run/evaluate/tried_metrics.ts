/** Metrics tried before there are rows. */
import { measureRows } from "../../loop/measure.ts";
import type { OpenRun } from "../open/open.ts";

/**
 * Finds before there are rows that a metric cannot be one of the task's classes: F1 of two where there are three.
 *
 * @throws AttuneError as the metric does.
 */
export function tryMetrics({ task, metrics }: Pick<OpenRun, "task" | "metrics">): void {
  const readings = task.triedReadings?.();
  if (!readings) return;
  // Which columns rows have is not known here.
  const tried = metrics.filter(({ columns = [], reads }) =>
    columns.length === 0 && reads.some((kind) => readings[kind] !== undefined)
  );
  const measurement = measureRows(tried, task.labels);
  measurement.add({ rows: [], readings });
  measurement.measured();
}
