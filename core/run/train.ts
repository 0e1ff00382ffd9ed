/**
 * A whole run: open, encode, train, evaluate, write. What happens comes out as events.
 * @module
 */
import { toSpec } from "../spec/compose.ts";
import type { Engine } from "../engine/engine.ts";
import { countSteps } from "../loop/steps.ts";
import type { LoopState } from "../loop/loop_state.ts";
import { type LoopOptions, trainLoop } from "../loop/train.ts";
import type { Host, Json, LogWriter, Named, Run, Store, TrainingEvent, TrainOptions } from "../types.ts";
import { batchPlan, type TaskRows } from "./batches.ts";
import { type BestMetric, selectBestMetrics } from "./best.ts";
import { type Checkpoints, checkpointsIn } from "./checkpoints.ts";
import { createTaskEngine } from "./engine.ts";
import { finalFigures } from "./final_figures.ts";
import { type MeasuredTasks, measuredTasks } from "./measured_tasks.ts";
import type { OpenRun } from "./open.ts";
import { dataFile, fingerprintsOf, readTasks } from "./read_tasks.ts";
import { restoreCheckpoint } from "./restore.ts";
import { checkFinite, writeResults } from "./results.ts";
import { checkContent, specToKeep } from "./resume.ts";
import { checkGeneration, samplesFile } from "./samples.ts";
import { createTaskEvaluator } from "./task_evaluator.ts";
import { VERSION } from "../version.ts";
import { resolvedSpec, writeJson } from "./write.ts";

/** Steps of fewer multiply-adds than this spend their time elsewhere: they are not compared with the machine's peak. */
const WORTH_COMPARING = 1e9;

/** How long a run's events may be unread before that is told, in milliseconds. */
const UNREAD = 1000;

/**
 * The events of a run, which trains as they are read: `for await (const event of trainRun(...))`. Where nobody reads them
 * nothing is trained, and that is told; {@link train} runs to the end by itself. Reading throws AttuneError where the run
 * cannot start; one that diverges ends with an "end" event that says so.
 */
export function trainRun(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent> {
  const read = new AbortController();
  const tell = (): void => {
    if (read.signal.aborted) return;
    const message = `[attune] Nothing is trained: nobody reads the events of trainRun for the run "${run.name}". ` +
      "Write `for await (const event of trainRun(...))`, or `await train(...)`, which runs to the end\n";
    if (host.terminal) host.terminal.write(message);
    else console.warn(message.trimEnd());
  };
  host.clock.sleep(UNREAD, read.signal).then(tell, () => {});
  return {
    [Symbol.asyncIterator]: () => {
      read.abort();
      return eventsOf(run, host, options)[Symbol.asyncIterator]();
    },
  };
}

async function* eventsOf(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent> {
  const { output } = options;
  // Before anything is read: nobody wants to hear after the last step that it cannot be written.
  const release = await output?.claim?.();
  const loggers: LogWriter[] = [];
  const emit = (event: TrainingEvent): TrainingEvent => {
    for (const logger of loggers) logger.log(event);
    return event;
  };
  try {
    for (const logger of run.loggers) loggers.push(await logger.open(host, run, output));
    for await (const event of runTraining(run, host, options, logMarks(run, loggers))) yield emit(event);
  } finally {
    try {
      for (const logger of loggers) await logger.close();
    } finally {
      await release?.();
    }
  }
}

/** Where all logs stand, each under its logger. */
type LogMarks = Readonly<{ mark(): Promise<Named<Json>>; resume(marks: Named<Json>): void }>;

function logMarks({ loggers }: Run, sinks: readonly LogWriter[]): LogMarks {
  const keys = loggers.map(({ name, options }) => `${name} ${JSON.stringify(options)}`);
  return {
    mark: async () => {
      const marks: Record<string, Json> = {};
      for (const [i, sink] of sinks.entries()) if (sink.mark) marks[keys[i] ?? ""] = await sink.mark();
      return marks;
    },
    resume: (marks) => {
      for (const [i, sink] of sinks.entries()) {
        const mark = marks[keys[i] ?? ""];
        if (mark !== undefined) sink.resume?.(mark);
      }
    },
  };
}

async function* runTraining(
  given: Run,
  host: Host,
  options: TrainOptions,
  logs: LogMarks,
): AsyncIterable<TrainingEvent> {
  const { output } = options;
  const tasks = yield* readTasks(given, host);
  const [{ open }] = tasks as [TaskRows];
  // Names of classes may have been read from the rows.
  const { run } = open;
  const [measured, tested] = [measuredTasks(tasks), measuredTasks(tasks, "test")];
  await checkGeneration([...measured.tasks, ...tested.tasks], output !== undefined);
  const judges = selectBestMetrics(run, measured.tasks.map(({ open }) => open));
  const engine = await createTaskEngine(tasks, await (await import("./plan.ts")).checkFits(run, host, tasks));
  const fingerprints = (): Promise<Named<string>> => fingerprintsOf(tasks);
  const description = describeRun(run, host, output, fingerprints);
  const report = dataFile(tasks);
  try {
    if (output && report !== undefined) await writeJson(output, "data.json", report);
    yield* trainTasks({ open, tasks, measured, tested, judges, engine, fingerprints, description, options, logs });
  } finally {
    // Nothing is written behind a run's end, however it ended.
    await description.settled();
    await engine.close();
  }
}

/** A run that is open: its tasks, and what they train on. */
type OpenTraining = Readonly<{
  open: OpenRun;
  tasks: readonly TaskRows[];
  measured: MeasuredTasks;
  /** Those with rows that nothing sees before the run's end. */
  tested: MeasuredTasks;
  judges: readonly BestMetric[];
  engine: Engine;
  fingerprints: () => Promise<Named<string>>;
  description: Description;
  options: TrainOptions;
  logs: LogMarks;
}>;

/** Goes on from a checkpoint where there is one, trains, and writes what came of it. */
async function* trainTasks(
  { open, tasks, measured, tested, judges, engine, fingerprints, description, options, logs }: OpenTraining,
): AsyncIterable<TrainingEvent> {
  const { run, host } = open;
  const { training } = run;
  const { output, signal } = options;
  const plan = batchPlan(run, tasks);
  const spec = output ? specToKeep(toSpec(run) as Named<Json>, run.catalog) : {};
  if (run.spec.fingerprints) checkContent(run.spec.fingerprints, await fingerprints());
  yield* versionWarning(run);
  const checkpoints = output && checkpointsIn(output, training.saveTotalLimit ?? undefined);
  const { name, saved, drift } = yield* restoreCheckpoint({
    open,
    tasks,
    engine,
    checkpoints: options.resume ? checkpoints : undefined,
    spec,
    perEpoch: plan.perEpoch,
    fingerprints,
    resumeLogs: logs.resume,
  });
  const prober = options.probe ? (await import("./probe.ts")).createProber(engine, tasks) : undefined;
  await prober?.before(await measured.measureAll(engine.of));
  const evaluator = createTaskEvaluator({
    tasks,
    measured,
    engine,
    best: saved?.best ?? {},
    writes: output !== undefined,
  });
  const save = async (store: Checkpoints, state: LoopState): Promise<string> => {
    checkFinite(engine, state.step);
    await description.write();
    const kept = { state: drift ? { ...state, drift } : state, tensors: engine.tensors(), best: evaluator.best() };
    return await store.save({ ...kept, fingerprints: await fingerprints(), spec, logs: await logs.mark() });
  };
  const keepSamples = samplesFile(output, saved?.state.step ?? 0);
  let last: Extract<TrainingEvent, { type: "end" }> | undefined;
  const events = trainLoop({
    ...loopParts(run),
    engine,
    steps: countSteps(plan.perEpoch, training),
    rows: countRows(tasks),
    peak: await peakOf(engine, host),
    batchesOf: plan.of,
    evaluate: measured.tasks.length > 0 ? evaluator.evaluate : undefined,
    save: checkpoints && ((state) => save(checkpoints, state)),
    keepBest: evaluator.keepBest,
    resume: saved?.state,
    resumed: name,
    signal,
    judges,
  });
  for await (const event of events) {
    if (event.type === "end") {
      last = event;
      break;
    }
    yield event;
    // The weights are hashed for it, so it is begun behind the first step, and goes on beside the next.
    if (event.type === "step") void description.write();
    for (const shown of evaluator.takeEvents()) {
      const at = { ...shown, step: event.step, epoch: event.epoch };
      await keepSamples(at);
      yield at;
    }
  }
  await description.write();
  if (!last) return;
  if (last.reason !== "done" && last.reason !== "stopped") return yield last;
  const ended = { tasks, measured, tested, engine, evaluator, prober, step: last.step };
  const final = finalFigures(tasks, [evaluator.metrics(), measured], [await evaluator.test(tested), tested], drift);
  for await (const event of output ? writeResults({ ...ended, final, output }) : []) {
    await keepSamples(event);
    yield event;
  }
  yield { ...last, ...final.whole };
}

/** The parts of a run that its loop works with. */
function loopParts(
  { training, optimizer, schedule, callbacks, accelerators }: Run,
): Pick<LoopOptions, "training" | "optimizer" | "schedule" | "callbacks" | "lossScale"> {
  const lossScale = accelerators.find((a) => a.lossScale)?.lossScale;
  return { training, optimizer, schedule, callbacks, lossScale };
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
  let written: Promise<void> | undefined;
  return {
    write: () => {
      written ??= output ? writeTo(output) : Promise.resolve();
      written.catch(() => {});
      return written;
    },
    settled: async () => await written?.catch(() => {}),
  };
}

function* versionWarning({ spec }: Run): Generator<TrainingEvent> {
  const { attune: version = VERSION } = spec.versions ?? {};
  if (version === VERSION) return;
  const message = `The spec was written by Attune ${version} and this is ${VERSION}: numbers may differ`;
  yield { type: "warning", step: 0, epoch: 0, code: "OTHER_VERSION", message };
}

function countRows(tasks: readonly TaskRows[]): Readonly<{ train: number; eval: number; test: number }> {
  return {
    train: tasks.reduce((n, { train }) => n + train.count, 0),
    eval: tasks.reduce((n, { held }) => n + (held?.count ?? 0), 0),
    test: tasks.reduce((n, { test }) => n + (test?.count ?? 0), 0),
  };
}

/** The machine's peak, where steps are large enough to be compared with it. */
async function peakOf({ multiplyAdds }: Engine, host: Host): Promise<number | undefined> {
  return multiplyAdds < WORTH_COMPARING ? undefined : await (await import("../engine/peak.ts")).measurePeak(host);
}
