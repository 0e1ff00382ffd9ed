/**
 * The tasks of a run that have rows to be measured on, and the rows that its report shows.
 * @module
 */
import type { Evaluator } from "../../engine/evaluator.ts";
import type { Example, Json, Named, TrainingEvent } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { measured } from "./evaluate.ts";
import { generatesUnmeasured } from "./metrics.ts";
import { collectExamples } from "./examples.ts";
import { drawnRows } from "./drawn_rows.ts";

/** Rows whose evaluation is kept for reports, and those that are generated for them. */
const [EXAMPLES, GENERATED] = [20_000, 20];

type Measuring = Pick<Evaluator, "run" | "generator">;

/** A task with rows to be measured on. */
export type MeasuredTask = TaskRows & Readonly<{ evalRows: NonNullable<TaskRows["evalRows"]> }>;

/** What measures them. */
export type MeasuredTasks = Readonly<{
  tasks: readonly MeasuredTask[];
  /** One task's metrics; its rows are kept until it is measured again. */
  measure(task: MeasuredTask, evaluator: Measuring): Promise<Named<number>>;
  /** Metrics by task; `evaluatorOf` may put a task's own weights in place first. */
  measureAll(evaluatorOf: (task: string) => Measuring): Promise<Map<string, Named<number>>>;
  /** What of a task's metrics was more than a number, as it was measured last. */
  figuresOf(task: string): Named<Json>;
  /** Rows of a task as they were measured last. */
  examplesOf(task: MeasuredTask): readonly Example[];
  /** The event with a task's rows as they were measured last, or as they were generated where nothing measures texts. */
  showExamples(task: MeasuredTask, evaluator: Measuring, at: TaskEvaluation): Promise<TrainingEvent>;
}>;

/** Of which evaluation rows are shown. `generates`: texts that no metric reads are wanted, too. */
export type TaskEvaluation = Readonly<{
  phase: "before" | "after";
  step: number;
  metrics: Named<number>;
  generates: boolean;
}>;

/**
 * Finds them among a run's tasks: those with rows to be judged by while it trains, or to be reported on behind its end.
 * Every row that is reported on is kept where a logger asks for that.
 */
export function measuredTasks(all: readonly TaskRows[], split: "eval" | "test" = "eval"): MeasuredTasks {
  const keepsAll = ({ open, test }: TaskRows): boolean =>
    (split === "test" || !test) && open.run.loggers.some(({ everyRow }) => everyRow === true);
  const tasks = all.flatMap((task): MeasuredTask[] => {
    const evalRows = split === "test" ? task.test : task.evalRows;
    return evalRows ? [{ ...task, evalRows }] : [];
  });
  const examples = new Map<string, readonly Example[]>();
  const figures = new Map<string, Named<Json>>();
  const measure = async (task: MeasuredTask, evaluator: Measuring): Promise<Named<number>> => {
    const { open, evalRows } = task;
    const isShown = keepsAll(task) ? () => true : drawnRows(evalRows.rowCount, EXAMPLES, open.run.training.seed);
    const picked: Example[] = [];
    examples.set(open.task.name, picked);
    const metrics = await measured(open, evaluator, evalRows, async (read) => {
      if (!Array.from(read.rows).some(isShown)) return;
      const some: Example[] = [];
      await collectExamples(some, open, evalRows, read);
      for (const example of some) if (isShown(example.row)) picked.push(example);
    });
    figures.set(open.task.name, metrics.figures);
    return metrics.metrics;
  };
  return {
    tasks,
    measure,
    measureAll: async (evaluatorOf) => {
      const metrics = new Map<string, Named<number>>();
      for (const task of tasks) {
        const { name } = task.open.task;
        metrics.set(name, await measure(task, evaluatorOf(name)));
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
        examples.set(
          name,
          await generatedExamples(
            open,
            evaluator,
            evalRows,
            keepsAll(task) && phase === "after" ? Infinity : GENERATED,
          ),
        );
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
      };
    },
  };
}
