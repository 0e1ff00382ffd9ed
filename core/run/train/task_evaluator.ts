/** Evaluations of a run's tasks while it trains, and the best weights of each. */
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
  /** Metrics with the present weights; "best": with those of each task's best evaluation. */
  evaluate(which: "now" | "final" | "best"): Promise<Named<number>>;
  /** Metrics of the rows that a run is reported on, once, behind its end, with the weights that it leaves. */
  test(tested: MeasuredTasks): Promise<ReadonlyMap<string, Named<number>>>;
  /** Each task's metrics, as they were measured last. */
  metrics(): ReadonlyMap<string, Named<number>>;
  /** What kept the last evaluation of a run from its end. */
  failure(): unknown;
  /** What evaluations have shown since this was last asked. */
  takeEvents(): readonly TrainingEvent[];
  /** A task with the weights that are shown and written: its best ones, where they are in place. */
  of(task: string): ReturnType<Engine["of"]>;
  /** Keeps the present weights as the best of a task. */
  keepBest(task: string): void;
  /** The best weights, as a checkpoint keeps them. */
  best(): SavedTensors | undefined;
}>;

/** Opens the evaluator. `writes`: the run has an output, and what fails in an evaluation waits until that is written. */
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
  // Each task is measured, shown and written with its own best weights, where they were kept.
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
        // What is trained is written first, whatever an evaluation does.
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

/** Some answers of every task that goes on with prompts, as an evaluation within training leaves them. */
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

/** What only shows may fail without taking the run with it. */
export function notShown(step: number, error: unknown): TrainingEvent {
  const message = `Nothing could be evaluated: ${error instanceof Error ? error.message : String(error)}`;
  return { type: "warning", step, epoch: 0, code: "NOT_SHOWN", message };
}
