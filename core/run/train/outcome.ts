/**
 * The results of a run besides trained weights: metrics, checkpoints, and the output folder. Loaded only if a run has
 * rows to evaluate or a folder to write.
 */
import { toSpec } from "../../spec/to_spec.ts";
import type { Engine } from "../../engine/engine.ts";
import type { LoopState } from "../../loop/loop_state.ts";
import type { LoopOptions } from "../../loop/train.ts";
import type { Host, Json, Named, Run, Store, TrainingEvent, TrainOptions } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { beginFresh } from "./begin.ts";
import { selectBestMetrics } from "./best.ts";
import { checkpointsIn } from "../checkpoints/checkpoints.ts";
import { dataFile } from "../write/data_file.ts";
import { type FinalFigures, finalFigures, notNumbers } from "../write/final_figures.ts";
import { fingerprintsOf } from "./fingerprints.ts";
import { type MeasuredTasks, measuredTasks } from "../evaluate/measured_tasks.ts";
import type { RowConsumer } from "../evaluate/row_streams.ts";
import type { Prober } from "../evaluate/probe.ts";
import { restoreCheckpoint, type Restored } from "./restore.ts";
import { checkFinite, writeResults } from "./results.ts";
import { specToKeep } from "../checkpoints/resume.ts";
import { checkGeneration, samplesFile } from "../evaluate/samples.ts";
import { createTaskEvaluator, type TaskEvaluator } from "./task_evaluator.ts";
import { resolvedSpec } from "../write/write.ts";
import { writeJson } from "../../files/json_files.ts";

/** The positions of all logs, by logger. `consumers`: the loggers that receive every evaluated row. */
export type LogMarks = Readonly<
  { mark(): Promise<Named<Json>>; resume(marks: Named<Json>): void; consumers(): readonly RowConsumer[] }
>;

/** Inputs of a run's outcome. */
export type OutcomeOptions = Readonly<{
  run: Run;
  host: Host;
  tasks: readonly TaskRows[];
  options: TrainOptions;
  logs: LogMarks;
}>;

/** An outcome before the engine is open; errors in metrics and their rows have already been found. */
export type PreparedOutcome = Readonly<{
  /** Restores a checkpoint if the run resumes from one, and yields warnings as events. */
  begin(engine: Engine, perEpoch: number): AsyncGenerator<TrainingEvent, Outcome>;
  /** Waits for pending writes, so that nothing is written after the run ends, however it ends. */
  settled(): Promise<void>;
}>;

/** The outcome of a run: its evaluations, checkpoints and files. */
export type Outcome = Readonly<{
  /** Options for the training loop. */
  loop: Pick<LoopOptions, "evaluate" | "save" | "keepBest" | "resume" | "resumed" | "judges">;
  /** Yields the events of evaluations since the last event of the loop, to follow that event. */
  behind(event: TrainingEvent): AsyncIterable<TrainingEvent>;
  /** Writes the run's spec.json if no step has done so. */
  describe(): Promise<void>;
  /** After the last step: evaluates the test rows, writes the results and returns the final metrics. */
  end(step: number): AsyncGenerator<TrainingEvent, FinalFigures>;
}>;

/** An outcome of a run whose engine is open. */
type Opened =
  & OutcomeOptions
  & Readonly<{
    engine: Engine;
    measured: MeasuredTasks;
    /** Tasks with test rows, which are not used before the end of the run. */
    tested: MeasuredTasks;
    evaluator: TaskEvaluator;
    prober: Prober | undefined;
    description: Description;
    restored: Restored;
  }>;

/**
 * Checks metrics, and the one that selects the best weights. Throws AttuneError if a metric or its rows are missing.
 */
export async function prepareOutcome(prepared: OutcomeOptions): Promise<PreparedOutcome> {
  const { run, host, tasks, logs, options: { output, resume, probe } } = prepared;
  const consumers = output ? logs.consumers() : [];
  const [measured, tested] = [measuredTasks(tasks, consumers), measuredTasks(tasks, consumers, "test")];
  const { tryMetrics } = await import("../evaluate/tried_metrics.ts");
  for (const { open } of [...measured.tasks, ...tested.tasks]) tryMetrics(open);
  await checkGeneration([...measured.tasks, ...tested.tasks], output !== undefined);
  const judges = selectBestMetrics(run, measured.tasks.map(({ open }) => open));
  const description = describeRun(run, host, output, () => fingerprintsOf(tasks));
  return {
    begin: async function* (engine, perEpoch) {
      if (output) await writeJson(output, "data.json", await dataFile(tasks));
      const restored = output && resume
        ? yield* restoreCheckpoint({ ...prepared, ...checkpointing(prepared, output), engine, perEpoch })
        : { drift: yield* beginFresh(tasks, engine) };
      const prober = probe ? (await import("../evaluate/probe.ts")).createProber(engine, tasks) : undefined;
      await prober?.before(await measured.measureAll(engine.of));
      const best = restored.saved?.best ?? {};
      const evaluator = createTaskEvaluator({ tasks, measured, engine, best, writes: output !== undefined });
      const opened = { ...prepared, engine, measured, tested, evaluator, prober, description, restored };
      return outcomeOf(opened, judges);
    },
    settled: description.settled,
  };
}

/** Returns the checkpoints of a run's folder, and the parts of its spec that are saved with each. */
function checkpointing(
  { run }: OutcomeOptions,
  output: Store,
): Readonly<{ checkpoints: ReturnType<typeof checkpointsIn>; spec: Named<Json> }> {
  return {
    checkpoints: checkpointsIn(output, run.training.saveTotalLimit ?? undefined),
    spec: specToKeep(toSpec(run) as Named<Json>, run.catalog),
  };
}

function outcomeOf(opened: Opened, judges: LoopOptions["judges"]): Outcome {
  const { tasks, options: { output }, measured, tested, evaluator, description, restored: { name, saved, drift } } =
    opened;
  const keepSamples = samplesFile(output, saved?.state.step ?? 0);
  return {
    loop: {
      evaluate: measured.tasks.length > 0 ? evaluator.evaluate : undefined,
      save: output && saverOf(opened, output),
      keepBest: evaluator.keepBest,
      resume: saved?.state,
      resumed: name,
      judges,
    },
    behind: async function* ({ type, step, epoch }) {
      // The spec contains a hash of the weights, so writing starts after the first step and overlaps with the next.
      if (type === "step") void description.write();
      for (const event of evaluator.takeEvents()) {
        const at = { ...event, step, epoch };
        await keepSamples(at);
        yield at;
      }
    },
    describe: description.write,
    end: async function* (step) {
      const final = finalFigures(tasks, [evaluator.metrics(), measured], [await evaluator.test(tested), tested], drift);
      const { metrics } = final.all;
      if (metrics.loss !== undefined && !Number.isFinite(metrics.loss)) {
        yield { type: "warning", step, epoch: 0, code: "NON_FINITE", message: notNumbers };
      }
      for await (const event of output ? writeResults({ ...opened, final, output, step }) : []) {
        await keepSamples(event);
        yield event;
      }
      return final.all;
    },
  };
}

function saverOf(opened: Opened, output: Store): (state: LoopState) => Promise<string> {
  const { tasks, logs, engine, evaluator, description, restored: { drift } } = opened;
  const { checkpoints, spec } = checkpointing(opened, output);
  return async (state) => {
    checkFinite(engine, state.step);
    await description.write();
    const checkpoint = {
      state: drift ? { ...state, drift } : state,
      tensors: engine.tensors(),
      best: evaluator.best(),
    };
    const fingerprints = await fingerprintsOf(tasks);
    return await checkpoints.save({ ...checkpoint, fingerprints, spec, logs: await logs.mark() });
  };
}

/** Writes a run's spec.json once. */
type Description = Readonly<{ write(): Promise<void>; settled(): Promise<void> }>;

function describeRun(
  run: Run,
  host: Host,
  output: Store | undefined,
  fingerprints: () => Promise<Named<string>>,
): Description {
  const writeTo = async (store: Store): Promise<void> =>
    await writeJson(store, "spec.json", await resolvedSpec(run, host, await fingerprints()));
  let writing: Promise<void> | undefined;
  return {
    write: () => {
      writing ??= output ? writeTo(output) : Promise.resolve();
      writing.catch(() => {});
      return writing;
    },
    settled: async () => await writing?.catch(() => {}),
  };
}
