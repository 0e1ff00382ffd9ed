/**
 * The final metrics of a run and their split: the test rows if there are any, which were not used before, otherwise the
 * eval rows.
 */
import type { Drift, Json, Named, TransformReport } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import type { MeasuredTasks } from "../evaluate/measured_tasks.ts";
import { combineTaskMetrics, metricsFile } from "../evaluate/metrics.ts";

/** Metrics, and the split that they were measured on. */
export type FinalFigures = Readonly<{
  metrics: Named<number>;
  /** Absent if nothing was measured or the split is unknown. */
  split?: "eval" | "test";
  rows?: number;
  /** The metrics of the eval rows, if `metrics` are those of test rows. */
  eval?: Named<number>;
  /** The drift from quantizing the base, measured before the first step. */
  drift?: Drift | undefined;
  /** Reports of the transforms of the training rows. */
  transforms?: readonly TransformReport[] | undefined;
}>;

/** The final metrics of a run. */
export type RunFigures = Readonly<{
  /** The metrics of all tasks in one map. */
  all: FinalFigures;
  of(task: string): FinalFigures;
  /** Content of metrics.json. */
  file: Json;
}>;

/** Warning about a loss that is not finite. */
export const notNumbers: string = "The loss is not a finite number, and so some of the model's answers are none: " +
  "other figures count them as if they were";

/** Returns a description of the measured rows, such as "test, 600 rows"; undefined if the split is unknown. */
export function whatOf({ split, rows }: Pick<FinalFigures, "split" | "rows">): string | undefined {
  if (split === undefined) return undefined;
  const name = split === "test" ? "test" : "eval, the split that chose the checkpoint";
  return rows === undefined ? name : `${name}, ${rows} ${rows === 1 ? "row" : "rows"}`;
}

/** The measurements of a run's tasks: numbers by task, and figures that are more than a number. */
export type TasksMeasured = readonly [ReadonlyMap<string, Named<number>>, Pick<MeasuredTasks, "figuresOf">];

/** Joins the measurements of a run's tasks. A task without test rows is reported on its eval rows. */
export function finalFigures(
  tasks: readonly TaskRows[],
  [judged, { figuresOf: judgedFigures }]: TasksMeasured,
  [tested, { figuresOf: testedFigures }]: TasksMeasured,
  drift?: Drift,
): RunFigures {
  const transforms = new Map(tasks.map(({ open, train }) => [open.task.name, train.transforms]));
  const figures = new Map(tasks.map((task): [string, FinalFigures] => {
    const { name } = task.open.task;
    const [final, test] = [judged.get(name), tested.get(name)];
    if (test) {
      return [name, { metrics: test, split: "test", ...count(task.test), ...(final ? { eval: final } : {}) }];
    }
    return [name, final ? { metrics: final, split: "eval", ...count(task.evalRows) } : { metrics: {} }];
  }));
  const measured = [...figures].filter(([, { split }]) => split !== undefined);
  const metrics = new Map(measured.map(([name, evaluation]) => [name, evaluation.metrics]));
  // Counts only rows of the run's reported split; tasks without test rows name their split themselves.
  const splitRows = tested.size === 0 ? measured : measured.filter(([name]) => tested.has(name));
  const rows = splitRows.reduce((n, [, figures]) => n + (figures.rows ?? 0), 0);
  const whole: FinalFigures = measured.length === 0
    ? { metrics: {} }
    : tested.size === 0
    ? { metrics: combineTaskMetrics(tasks, metrics), split: "eval", rows }
    : {
      metrics: combineTaskMetrics(tasks, metrics),
      split: "test",
      rows,
      ...(judged.size > 0 ? { eval: combineTaskMetrics(tasks, judged) } : {}),
    };
  const splits = new Map(measured.map(([name, { split }]) => [name, split]));
  const withFigures = (
    all: ReadonlyMap<string, Named<number>>,
    figuresOf: (task: string) => Named<Json>,
  ): Map<string, Named<Json>> => new Map([...all].map(([name, figures]) => [name, { ...figures, ...figuresOf(name) }]));
  const file = fileOf(tasks, {
    metrics: withFigures(metrics, (name) => (tested.has(name) ? testedFigures(name) : judgedFigures(name))),
    judged: withFigures(judged, judgedFigures),
    tested,
    splits,
  });
  return {
    all: whole,
    of: (task) => ({ ...(figures.get(task) ?? { metrics: {} }), drift, transforms: transforms.get(task) }),
    file,
  };
}

function count(encoded: TaskRows["evalRows"]): Readonly<{ rows?: number }> {
  return encoded ? { rows: encoded.rowCount } : {};
}

/**
 * Returns the content of metrics.json: the reported metrics; if there are test rows, also `split` and the metrics of
 * the eval rows. If only some of several tasks have test rows, each task names its split.
 */
function fileOf(
  tasks: readonly TaskRows[],
  { metrics, judged, tested, splits }: Readonly<{
    metrics: ReadonlyMap<string, Named<Json>>;
    judged: ReadonlyMap<string, Named<Json>>;
    tested: ReadonlyMap<string, unknown>;
    splits: ReadonlyMap<string, "eval" | "test" | undefined>;
  }>,
): Json {
  const file = metricsFile(tasks, metrics) as Named<Json>;
  if (tested.size === 0) return file;
  const mixed = tested.size < metrics.size;
  const splitTasks = Object.entries((file.tasks ?? {}) as Named<Named<Json>>)
    .map(([name, figures]) => [name, { ...figures, split: splits.get(name) ?? null }]);
  return {
    ...file,
    ...(mixed && file.tasks ? { tasks: Object.fromEntries(splitTasks) } : {}),
    split: "test",
    ...(judged.size > 0 ? { eval: metricsFile(tasks, judged) } : {}),
  };
}
