/** Evaluates a run's tasks during training, and keeps the best weights of each. */
import type { Engine } from "../../engine/engine.ts";
import type { SavedTensors } from "../../engine/state/saved.ts";
import type { Named, TrainingEvent } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { joinedBest, splitBest } from "./best.ts";
import type { MeasuredTasks } from "../evaluate/measured_tasks.ts";
import { combineTaskMetrics } from "../evaluate/metrics.ts";
import { answersPrompts, generateSamples, samplesFrom } from "../evaluate/samples.ts";

/** Evaluates a run's tasks. */
export type TaskEvaluator = Readonly<{
  /** Returns metrics with the current weights; "best": with the weights of each task's best evaluation. */
  evaluate(which: "now" | "final" | "best"): Promise<Named<number>>;
  /** Returns metrics of the test rows; called once after training, with the final weights. */
  test(tested: MeasuredTasks): Promise<ReadonlyMap<string, Named<number>>>;
  /** Returns the latest metrics of each task. */
  metrics(): ReadonlyMap<string, Named<number>>;
  /** Returns the error that made the last evaluation of a run fail, if any. */
  failure(): unknown;
  /** Returns the events of evaluations since the last call. */
  takeEvents(): readonly TrainingEvent[];
  /** Returns a task with the weights to show and write: its best weights, once these are restored. */
  of(task: string): ReturnType<Engine["of"]>;
  /** Keeps the current weights as the best of a task. */
  keepBest(task: string): void;
  /** Returns the best weights as a checkpoint stores them. */
  best(): SavedTensors | undefined;
}>;

/** Creates the evaluator. `writes`: the run has an output, so evaluation errors are held back until it is written. */
export function createTaskEvaluator(
  { tasks, measured, engine, best: saved, writes }: Readonly<{
    tasks: readonly TaskRows[];
    measured: MeasuredTasks;
    engine: Engine;
    best: SavedTensors;
    writes: boolean;
  }>,
): TaskEvaluator {
  const best = splitBest(saved, tasks);
  const events: TrainingEvent[] = [];
  let latest: SavedTensors | undefined;
  let restored = false;
  let failure: unknown;
  let metrics: ReadonlyMap<string, Named<number>> = new Map();
  // Each task is measured, shown and written with its own best weights, if they were kept.
  const of = (task: string): ReturnType<Engine["of"]> => {
    if (restored) {
      latest ??= tasks.length > 1 ? engine.state.weights() : undefined;
      const weights = best.get(task) ?? latest;
      if (weights) engine.state.setWeights(weights);
    }
    return engine.of(task);
  };
  return {
    evaluate: async (which) => {
      if (which !== "now") await engine.endTraining();
      restored = which === "best";
      try {
        metrics = await measured.measureAll(of, which !== "now");
      } catch (error) {
        // The trained weights are written first, even if an evaluation fails.
        if (!writes) throw error;
        if (which === "now") events.push(notShown(0, error));
        else failure ??= error;
        metrics = new Map();
        return {};
      }
      if (which === "now" && writes) events.push(...await samplesNow(measured, engine.of));
      return combineTaskMetrics(tasks, metrics);
    },
    test: async (tested) => {
      if (tested.tasks.length === 0 || failure) return new Map();
      await engine.endTraining();
      try {
        return await tested.measureAll(of, true);
      } catch (error) {
        if (!writes) throw error;
        failure = error;
        return new Map();
      }
    },
    metrics: () => metrics,
    failure: () => failure,
    takeEvents: () => events.splice(0),
    of,
    keepBest: (task) => void best.set(task, engine.state.weights()),
    best: () => joinedBest(best),
  };
}

/** Returns some generated answers of every task that continues prompts, after an evaluation during training. */
async function samplesNow(measured: MeasuredTasks, evaluatorOf: Engine["of"]): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  for (const task of measured.tasks.filter(answersPrompts)) {
    const { name } = task.open.task;
    const answered = samplesFrom(measured.examplesOf(task));
    try {
      const samples = answered.length > 0 ? answered : await generateSamples(task, evaluatorOf(name));
      events.push({ type: "samples", step: 0, epoch: 0, task: name, samples });
    } catch (error) {
      events.push(notShown(0, error));
    }
  }
  return events;
}

/** Returns a warning for a failure of showing rows, which does not fail the run. */
export function notShown(step: number, error: unknown): TrainingEvent {
  const message = `Nothing could be evaluated: ${error instanceof Error ? error.message : String(error)}`;
  return { type: "warning", step, epoch: 0, code: "NOT_SHOWN", message };
}
