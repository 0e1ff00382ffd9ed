/**
 * What comes of a run besides trained weights: what it measures, the checkpoints it saves, the folder it leaves. Loaded
 * where a run has rows to measure or a folder to write.
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

/** Where all logs stand, each under its logger; `consumers`: those that record every row. */
export type LogMarks = Readonly<
  { mark(): Promise<Named<Json>>; resume(marks: Named<Json>): void; consumers(): readonly RowConsumer[] }
>;

/** What the outcome of a run is made from. */
export type OutcomeOptions = Readonly<{
  run: Run;
  host: Host;
  tasks: readonly TaskRows[];
  options: TrainOptions;
  logs: LogMarks;
}>;

/** Before the engine is there: all that can be wrong with what is measured has been found. */
export type PreparedOutcome = Readonly<{
  /** Puts a checkpoint in place where the run goes on from one; warnings come out as events. */
  begin(engine: Engine, perEpoch: number): AsyncGenerator<TrainingEvent, Outcome>;
  /** Nothing is written behind a run's end, however it ended. */
  settled(): Promise<void>;
}>;

/** The outcome of a run: what it measures, keeps and writes. */
export type Outcome = Readonly<{
  /** What the loop asks for. */
  loop: Pick<LoopOptions, "evaluate" | "save" | "keepBest" | "resume" | "resumed" | "judges">;
  /** What evaluations have shown since the last event of the loop, told behind it. */
  behind(event: TrainingEvent): AsyncIterable<TrainingEvent>;
  /** Writes the run's description where no step has. */
  describe(): Promise<void>;
  /** Behind the last step: reports on rows and writes the results. */
  end(step: number): AsyncGenerator<TrainingEvent, FinalFigures>;
}>;

/** An outcome that is under way. */
type Opened =
  & OutcomeOptions
  & Readonly<{
    engine: Engine;
    measured: MeasuredTasks;
    /** Those with rows that nothing sees before the run's end. */
    tested: MeasuredTasks;
    evaluator: TaskEvaluator;
    prober: Prober | undefined;
    description: Description;
    restored: Restored;
  }>;

/**
 * Checks what will be measured, and how its best is told. Throws AttuneError if a metric is missing or its rows are.
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

/** The checkpoints of a run's folder, and the parts of its spec that must be the same in all of them. */
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
      // The weights are hashed for it, so it is begun behind the first step, and goes on beside the next.
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

/** Writes a run's spec.json, once. */
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
