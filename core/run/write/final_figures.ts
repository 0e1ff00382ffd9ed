/**
 * The figures that a run ends with, and what they are of: test rows where it has some, which nothing saw before, else the
 * rows that judged it while it trained.
 */
import type { Drift, Json, Named, TransformReport } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import type { MeasuredTasks } from "../evaluate/measured_tasks.ts";
import { combineTaskMetrics, metricsFile } from "../evaluate/metrics.ts";

/** Figures, and what they are of. */
export type FinalFigures = Readonly<{
  metrics: Named<number>;
  /** Absent if nothing was measured, or nobody knows. */
  split?: "eval" | "test";
  rows?: number;
  /** Where they are of test rows, those of the rows that judged the run. */
  eval?: Named<number>;
  /** What quantizing the base changed before step one, where it was. */
  drift?: Drift | undefined;
  /** What transforms did to the rows that were trained on. */
  transforms?: readonly TransformReport[] | undefined;
}>;

/** Those of a run. */
export type RunFigures = Readonly<{
  /** Of all tasks in one map. */
  all: FinalFigures;
  of(task: string): FinalFigures;
  /** What metrics.json holds. */
  file: Json;
}>;

/** What is to be said where a loss is no finite number. */
export const notNumbers: string = "The loss is not a finite number, and so some of the model's answers are none: " +
  "other figures count them as if they were";

/** Says what figures are of: "test, 600 rows"; undefined if that is not known. */
export function whatOf({ split, rows }: Pick<FinalFigures, "split" | "rows">): string | undefined {
  if (split === undefined) return undefined;
  const name = split === "test" ? "test" : "eval, the split that chose the checkpoint";
  return rows === undefined ? name : `${name}, ${rows} ${rows === 1 ? "row" : "rows"}`;
}

/** What was measured of a run's tasks: numbers, and what of them is more than a number. */
export type TasksMeasured = readonly [ReadonlyMap<string, Named<number>>, Pick<MeasuredTasks, "figuresOf">];

/** Joins what was measured of a run's tasks: a task without test rows is reported on those that judged it. */
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
  // Rows of the split that the whole is called by; a task without test rows says itself what it is of.
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

/** The reported figures at the top; where they are of test rows it says so, with the others beside. Of several tasks of which some have no test rows each says what its figures are of. */
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
