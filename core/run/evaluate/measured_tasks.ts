/** The tasks of a run that have rows to evaluate, and the rows that its report shows. */
import type { Evaluator } from "../../engine/evaluator.ts";
import type { Example, Json, Named, TrainingEvent } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { measureOpened } from "./evaluate.ts";
import { generatesUnmeasured } from "./metrics.ts";
import { collectExamples } from "./examples.ts";
import { drawnRows } from "./drawn_rows.ts";
import { type RowConsumer, withRowStreams } from "./row_streams.ts";

/** Number of evaluated rows that are kept for reports, and of rows for which text is generated. */
const [EXAMPLES, GENERATED] = [20_000, 20];

type Measuring = Pick<Evaluator, "run" | "generator">;

/** A task with rows to evaluate. */
export type MeasuredTask = TaskRows & Readonly<{ evalRows: NonNullable<TaskRows["evalRows"]> }>;

/** The tasks with rows to evaluate, and their latest measurements. */
export type MeasuredTasks = Readonly<{
  tasks: readonly MeasuredTask[];
  /** Returns one task's metrics, and keeps some of its rows until the next call. `final`: with the final weights. */
  measure(task: MeasuredTask, evaluator: Measuring, final?: boolean): Promise<Named<number>>;
  /** Returns metrics by task; `evaluatorOf` may load a task's own weights first. */
  measureAll(evaluatorOf: (task: string) => Measuring, final?: boolean): Promise<Map<string, Named<number>>>;
  /** Whether a logger receives every row of a task. */
  streamsAll(task: TaskRows): boolean;
  /** Returns a task's latest figures that are more than a number. */
  figuresOf(task: string): Named<Json>;
  /** Returns the latest evaluated rows of a task. */
  examplesOf(task: MeasuredTask): readonly Example[];
  /** Returns the event with a task's latest evaluated rows, or with generated ones if no metric reads its texts. */
  showExamples(task: MeasuredTask, evaluator: Measuring, at: TaskEvaluation): Promise<TrainingEvent>;
}>;

/** The evaluation whose rows are shown. `generates`: also generate texts that no metric reads. */
export type TaskEvaluation = Readonly<{
  phase: "before" | "after";
  step: number;
  metrics: Named<number>;
  generates: boolean;
}>;

/**
 * Selects a run's tasks with eval rows (for evaluation during training) or test rows (for the final report). `consumers`
 * receive every reported row.
 */
export function measuredTasks(
  all: readonly TaskRows[],
  consumers: readonly RowConsumer[],
  split: "eval" | "test" = "eval",
): MeasuredTasks {
  const consumersOf = ({ test }: TaskRows): readonly RowConsumer[] => (split === "test" || !test ? consumers : []);
  const tasks = all.flatMap((task): MeasuredTask[] => {
    const evalRows = split === "test" ? task.test : task.evalRows;
    return evalRows ? [{ ...task, evalRows }] : [];
  });
  const examples = new Map<string, readonly Example[]>();
  const figures = new Map<string, Named<Json>>();
  const measure = async (task: MeasuredTask, evaluator: Measuring, final = false): Promise<Named<number>> => {
    const { open, evalRows } = task;
    const isShown = drawnRows(evalRows.rowCount, EXAMPLES, open.run.training.seed);
    const picked: Example[] = [];
    examples.set(open.task.name, picked);
    const rowConsumers = final && !generatesUnmeasured(open) ? consumersOf(task) : [];
    const metrics = await withRowStreams(
      rowConsumers,
      open.task.name,
      async (streams) =>
        await measureOpened(open, evaluator, evalRows, async (read) => {
          if (!streams && !Array.from(read.rows).some(isShown)) return;
          const some: Example[] = [];
          await collectExamples(some, open, evalRows, read);
          await streams?.push(some);
          for (const example of some) if (isShown(example.row)) picked.push(example);
        }),
    );
    figures.set(open.task.name, metrics.figures);
    return metrics.metrics;
  };
  return {
    tasks,
    measure,
    streamsAll: (task) => consumersOf(task).length > 0,
    measureAll: async (evaluatorOf, final) => {
      const metrics = new Map<string, Named<number>>();
      for (const task of tasks) {
        const { name } = task.open.task;
        metrics.set(name, await measure(task, evaluatorOf(name), final));
      }
      return metrics;
    },
    figuresOf: (task) => figures.get(task) ?? {},
    examplesOf: ({ open }) => examples.get(open.task.name) ?? [],
    showExamples: async (task, evaluator, { phase, step, metrics, generates }) => {
      const { open, evalRows } = task;
      const { name, labels = [] } = open.task;
      if (generates && generatesUnmeasured(open)) {
        const { generatedExamples } = await import("./generated_examples.ts");
        const generated = await withRowStreams(phase === "after" ? consumersOf(task) : [], name, async (streams) => {
          const texts: Example[] = [];
          const most = streams ? Infinity : GENERATED;
          for await (const example of generatedExamples(open, evaluator, evalRows, most)) {
            await streams?.push([example]);
            if (texts.length < EXAMPLES) texts.push(example);
          }
          return texts;
        });
        examples.set(name, generated);
      }
      return {
        type: "examples",
        step,
        epoch: 0,
        phase,
        split,
        task: name,
        labels,
        metrics,
        figures: figures.get(name) ?? {},
        examples: examples.get(name) ?? [],
        rows: evalRows.rowCount,
      };
    },
  };
}
