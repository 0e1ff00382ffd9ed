/** A trial of metrics before rows are read. */
import { measureRows } from "../../loop/measure.ts";
import type { OpenRun } from "../open/open.ts";

/**
 * Finds metrics that do not suit the task's classes before rows are read, such as binary F1 with three classes.
 *
 * @throws AttuneError like the metric itself.
 */
export function tryMetrics({ task, metrics }: Pick<OpenRun, "task" | "metrics">): void {
  const readings = task.triedReadings?.();
  if (!readings) return;
  // Metrics that need columns are not tried, since the columns of rows are not known here.
  const tried = metrics.filter(({ columns = [], reads }) =>
    columns.length === 0 && reads.some((kind) => readings[kind] !== undefined)
  );
  const measurement = measureRows(tried, task.labels);
  measurement.add({ rows: [], readings });
  measurement.measured();
}
