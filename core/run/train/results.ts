/** Writes the results of a run: metrics, the trained model, and rows with their predictions. */
import type { Engine } from "../../engine/engine.ts";
import type { Evaluator } from "../../engine/evaluator.ts";
import { AttuneError } from "../../base/errors.ts";
import type { Named, Store, TrainingEvent } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { openEvaluator } from "../evaluate/infer.ts";
import type { RunFigures } from "../write/final_figures.ts";
import type { MeasuredTask, MeasuredTasks } from "../evaluate/measured_tasks.ts";
import type { Prober } from "../evaluate/probe.ts";
import { answersPrompts, generateSamples, samplesFrom } from "../evaluate/samples.ts";
import { notShown, type TaskEvaluator } from "./task_evaluator.ts";
import { writeModel } from "../write/write.ts";
import { writeJson } from "../../files/json_files.ts";

/** Inputs of a run's results. */
export type ResultOptions = Readonly<{
  tasks: readonly TaskRows[];
  measured: MeasuredTasks;
  tested: MeasuredTasks;
  final: RunFigures;
  engine: Engine;
  evaluator: TaskEvaluator;
  prober: Prober | undefined;
  output: Store;
  /** The run's last step. */
  step: number;
}>;

/** Writes the results; finally yields rows as events. Throws the error of the last evaluation, if that failed. */
export async function* writeResults(options: ResultOptions): AsyncIterable<TrainingEvent> {
  const { tasks, measured, tested, final, engine, evaluator, prober, output, step } = options;
  const byTask = evaluator.metrics();
  const failure = evaluator.failure();
  if (final.all.split && !failure) await writeJson(output, "metrics.json", final.file);
  checkFinite(engine, step);
  for (const task of tasks) {
    const { name } = task.open.task;
    const metrics = byTask.get(name) ?? {};
    const best = evaluator.of(name);
    if (!failure) await prober?.after(task, best, metrics);
    await writeModel(task.open, engine, final.of(name), output);
  }
  if (prober && !failure) await writeJson(output, "probe.json", prober.file());
  if (failure) throw failure;
  // A report shows rows with predictions of the trained and of the original model.
  const wantsReport = tasks.some(({ open }) => open.run.loggers.some((logger) => logger.name === "report"));
  const isTested = (task: MeasuredTask): boolean =>
    tested.tasks.some(({ open }) => open.task.name === task.open.task.name);
  const judged = measured.tasks.filter((task) => !isTested(task));
  yield* shownRows([[tested, tested.tasks], [measured, judged]], evaluator.of, final, step, wantsReport, engine);
}

/** Yields reported rows with the trained model's predictions, and for a report also with the original model's. */
async function* shownRows(
  reported: readonly (readonly [MeasuredTasks, readonly MeasuredTask[]])[],
  bestOf: Engine["of"],
  final: RunFigures,
  step: number,
  wantsReport: boolean,
  engine: Engine,
): AsyncIterable<TrainingEvent> {
  const both = async function* (
    measured: MeasuredTasks,
    task: MeasuredTask,
    evaluator: Pick<Evaluator, "run" | "generator">,
    at: Readonly<{ phase: "before" | "after"; step: number; metrics: Named<number> }>,
  ): AsyncIterable<TrainingEvent> {
    try {
      yield await measured.showExamples(task, evaluator, {
        ...at,
        generates: at.phase === "before" ? wantsReport : wantsRows,
      });
      if (!answersPrompts(task)) return;
      const answered = samplesFrom(measured.examplesOf(task));
      const samples = answered.length > 0 ? answered : await generateSamples(task, evaluator);
      yield { type: "samples", step: at.step, epoch: 0, task: task.open.task.name, samples };
    } catch (error) {
      yield notShown(at.step, error);
    }
  };
  const wantsRows = wantsReport ||
    reported.some(([measured, tasks]) => tasks.some((task) => measured.streamsAll(task)));
  const all = reported.flatMap(([measured, tasks]) => tasks.map((task) => ({ measured, task })));
  for (const { measured, task } of all) {
    const { name } = task.open.task;
    yield* both(measured, task, bestOf(name), { phase: "after", step, metrics: final.of(name).metrics });
  }
  if (!wantsReport || all.length === 0) return;
  // The original model is measured last, so that the first step does not wait for it.
  await engine.endTraining();
  for (const { measured, task } of all) {
    const untouched = openEvaluator(task.open);
    try {
      const metrics = await measured.measure(task, untouched);
      yield* both(measured, task, untouched, { phase: "before", step: 0, metrics });
    } finally {
      await untouched.close();
    }
  }
}

/**
 * Throws AttuneError if a weight is not finite. Such weights must never be saved, since they would replace good
 * checkpoints.
 */
export function checkFinite(engine: Engine, step: number): void {
  if (engine.state.isFinite()) return;
  throw new AttuneError(`After step ${step} some trained weights are not finite; they were not saved`, {
    code: "NON_FINITE",
    plugin: "train",
  });
}
