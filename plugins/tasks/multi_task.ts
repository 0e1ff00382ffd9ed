/**
 * Several tasks over one model in one run.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { pow } from "../../core/math/math.ts";
import type { Adapter, Dataset, Factory, Metric, Named, Subtask, Task } from "../../core/types.ts";

/** One of the tasks. */
export interface MultiTaskEntry {
  /** The task to learn. */
  readonly task: Task;
  /** Its rows. */
  readonly data: Readonly<
    { train: Dataset; eval?: Dataset | undefined; test?: Dataset | undefined; leakThreshold?: number | undefined }
  >;
  /** The factor of its losses. */
  readonly weight: number;
  /** Metrics of this task. Default: the task's. */
  readonly metrics?: readonly Metric[] | undefined;
  /** Adapters of this task alone; those of the run are shared by all. */
  readonly adapter: readonly Adapter[];
}

/** Options of {@link multiTask}. */
export interface MultiTaskOptions {
  /** The tasks by name; names have letters, digits, dashes and underscores. */
  readonly tasks: Named<MultiTaskEntry>;
  /**
   * How often each task gets a micro-batch: in proportion to its number of rows to the power of `temperature` (1: by
   * size, 0: equally), or by `probabilities`.
   */
  readonly sampling: Readonly<{ temperature: number; probabilities?: Named<number> | undefined }>;
}

type Input = Readonly<{
  tasks: Readonly<
    Record<
      string,
      Readonly<{
        task: unknown;
        data: Readonly<{ train: unknown; eval?: unknown; test?: unknown; leakThreshold?: number }>;
        weight?: number;
        metrics?: readonly unknown[];
        adapter?: unknown;
      }>
    >
  >;
  sampling?: Readonly<{ temperature?: number; probabilities?: Readonly<Record<string, number>> }>;
}>;

const dataset = pluginOption("data", "a dataset");
const adapter = pluginOption("adapter", "an adapter");
const name = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][\w-]*$/, "a name of letters, digits, dashes and underscores"));

/**
 * Several tasks in one run over the same model; each micro-batch belongs to one of them. A step's loss is the mean over
 * its micro-batches of the tasks' losses, each times its weight; what a step's tasks do not reach (another task's head)
 * stays as it is. Metrics are each task's own, and so are the best weights.
 *
 * The parameters of heads are prefixed with the task's name during the run. The output is one folder per task,
 * `model/<task>/` or `adapter/<task>/`, equal to that of a run of the task alone.
 *
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { multiTask } from "attune/tasks/multi-task";
 * import { sequenceClassification } from "attune/tasks/sequence-classification";
 * const task = sequenceClassification({ labels: ["bad", "good"] });
 * const data = { train: memory({ rows: [{ text: "fine", label: "good" }] }) };
 * const { sampling } = multiTask({ tasks: { films: { task, data }, food: { task, data } }, sampling: { temperature: 0.5 } });
 * console.assert(sampling?.({ films: 400, food: 100 }).films === 20);
 * ```
 */
export const multiTask: Factory<"task", Input> = define({
  kind: "task",
  name: "multi-task",
  schema: v.pipe(
    v.strictObject({
      tasks: v.pipe(
        v.record(
          name,
          v.strictObject({
            task: v.pipe(
              pluginOption("task", "a task"),
              v.check((objective) => objective.subtasks.length === 1, "a single task"),
            ),
            data: v.strictObject({
              train: dataset,
              eval: v.optional(dataset),
              test: v.optional(dataset),
              leakThreshold: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
            }),
            weight: v.optional(v.pipe(v.number(), v.gtValue(0)), 1),
            metrics: v.optional(v.array(pluginOption("metric", "a metric"))),
            adapter: v.optional(v.union([v.array(adapter), v.pipe(adapter, v.transform((one) => [one]))]), []),
          }),
        ),
        v.check((tasks) => Object.keys(tasks).length > 0, "at least one task"),
      ),
      sampling: v.optional(
        v.strictObject({
          temperature: v.optional(v.pipe(v.number(), v.minValue(0)), 1),
          probabilities: v.optional(v.record(v.string(), v.pipe(v.number(), v.minValue(0)))),
        }),
        {},
      ),
    }),
    v.check(
      ({ tasks, sampling: { probabilities } }) =>
        probabilities === undefined ||
        (Object.keys(probabilities).sort().join() === Object.keys(tasks).sort().join() &&
          Object.values(probabilities).some((p) => p > 0)),
      "sampling.probabilities for exactly these tasks, at least one above 0",
    ),
  ) as v.GenericSchema<Input, MultiTaskOptions>,
  create: ({ tasks, sampling: { temperature, probabilities } }) => ({
    subtasks: Object.entries(tasks).flatMap(([name, entry]) =>
      entry.task.subtasks.map((task) => nameSubtask(name, task, entry))
    ),
    sampling: (rows) =>
      probabilities ?? Object.fromEntries(Object.entries(rows).map(([name, n]) => [name, pow(n, temperature)])),
  }),
});

function nameSubtask(name: string, task: Subtask, entry: MultiTaskEntry): Subtask {
  const { data, weight, metrics, adapter } = entry;
  const { train, eval: evaluation, test, leakThreshold } = data;
  const { withConfig: completed } = task;
  return {
    ...task,
    name,
    withConfig: completed && ((context) => nameSubtask(name, completed(context), entry)),
    weight,
    data: {
      train,
      ...(evaluation ? { eval: evaluation } : {}),
      ...(test ? { test } : {}),
      ...(leakThreshold === undefined ? {} : { leakThreshold }),
    },
    ...(metrics ? { metrics } : {}),
    adapters: adapter,
  };
}
