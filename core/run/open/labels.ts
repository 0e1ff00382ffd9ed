/**
 * Class names that the spec does not give: they are read from the training rows and written into the run's spec.
 */
import { cachedJson } from "../../data/cached.ts";
import { isPlugin } from "../../spec/define.ts";
import { noRows } from "../../data/no_rows.ts";
import { taskData } from "../../spec/run_data.ts";
import type { Dataset, Host, LabelNames, Rows, Run, Task } from "../../types.ts";
import { cacheFor } from "../../data/seekable.ts";
import { VERSION } from "../../base/version.ts";

/** A run whose classes have names, and warnings about the names that were read. */
export type LabelledRun = Readonly<{ run: Run; warnings: readonly string[] }>;

/**
 * Returns the run with class names from its training rows.
 *
 * @throws AttuneError if the rows cannot be read, or have no classes.
 */
export async function readLabels(run: Run, host: Host): Promise<LabelledRun> {
  const warnings: string[] = [];
  const objective = await withClassNames(run.task, run.data.train, "task", { run, host, warnings });
  return { run: { ...run, task: objective }, warnings };
}

type Reading = Readonly<{ run: Run; host: Host; warnings: string[] }>;

async function withClassNames(
  objective: Task,
  train: Dataset | undefined,
  path: string,
  reading: Reading,
): Promise<Task> {
  const options = await namedWithin(objective.options, train, `${path}.with`, reading);
  const remade = (options: unknown): Task => reading.run.use("task", { use: objective.name, with: options } as never);
  if (options !== objective.options) return remade(options);
  const labelsIn = objective.subtasks.map((task) => task.labelsIn).find((read) => read !== undefined);
  if (!labelsIn || !train || !reading.run.catalog.task?.[objective.name]) return objective;
  const { values, classes } = await valuesIn(inRun(reading.run, train), labelsIn, objective, reading.host);
  const labels = labelsIn.namesOf(values, classes);
  if (labels.every((label, i) => label === `LABEL_${i}`)) {
    return remade({ ...objective.options, numLabels: labels.length });
  }
  const list = labels.slice(0, 20).map((label) => JSON.stringify(label)).join(", ");
  reading.warnings.push(
    `${path}.with.labels: read from the training rows, ${labels.length} classes: ${list}${
      labels.length > 20 ? ", ..." : ""
    }`,
  );
  const alike = labels.filter((label) => labels.some((other) => other !== label && bare(other) === bare(label)));
  if (alike.length > 0) {
    const names = alike.slice(0, 10).map((label) => JSON.stringify(label)).join(", ");
    reading.warnings.push(
      `${path}.with.labels: ${names} differ in case or white space alone: the transform "clean", with the column and ` +
        `"lowercase" among its options, makes one class of them`,
    );
  }
  return remade({ ...objective.options, labels });
}

/** Returns a name without differences in case and white space. */
function bare(label: string): string {
  return label.trim().replace(/\s+/g, " ").toLowerCase();
}

/** Returns options whose nested tasks have class names from the training rows beside them; unchanged without tasks. */
async function namedWithin<T>(value: T, train: Dataset | undefined, path: string, reading: Reading): Promise<T> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (isPlugin("task")(value)) return await withClassNames(value, train, path, reading) as T;
  // Other plugins contain no tasks to train.
  if ("kind" in value) return value;
  const data = "data" in value ? (value.data as Readonly<{ train?: Dataset }> | undefined)?.train : undefined;
  let changed = false;
  const parts: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    parts[key] = await namedWithin(part, data ?? train, `${path}.${key}`, reading);
    changed ||= parts[key] !== part;
  }
  return changed ? parts as T : value;
}

/** Returns a subtask's training rows as the run prepares them (with transforms), or `train` itself. */
function inRun(run: Run, train: Dataset): Dataset {
  const task = run.task.subtasks.find(({ data }) => data?.train === train);
  return (task && taskData(run, task).train) ?? train;
}

type Values = readonly (readonly [row: number, value: unknown])[];

/** Returns the distinct class values of the rows, each with its first row number. Rows may not all fit into memory. */
async function valuesIn(
  dataset: Dataset,
  { valueOf }: LabelNames,
  { name, options }: Task,
  host: Host,
): Promise<Readonly<{ values: Values; classes: Rows["classes"] }>> {
  const opened = await dataset.open(host);
  const values = await cachedJson(
    cacheFor(opened, host),
    "labels",
    [opened.fingerprint, VERSION, name, options],
    async () => {
      const different = new Map<string, readonly [number, unknown]>();
      let number = 0;
      for await (const { row } of opened.read()) {
        const value = valueOf(row);
        const key = JSON.stringify(value) ?? "";
        if (!different.has(key)) different.set(key, [number, value]);
        number++;
      }
      return [...different.values()];
    },
  );
  if (values.length > 0) return { values, classes: opened.classes };
  throw noRows(dataset.name, undefined, opened.transforms);
}
