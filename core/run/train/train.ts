/**
 * A whole run: open, encode, train, evaluate, write. What happens comes out as events.
 * @module
 */
import type { Engine } from "../../engine/engine.ts";
import { countSteps } from "../../loop/steps.ts";
import { type LoopOptions, trainLoop } from "../../loop/train.ts";
import type { Host, Json, LogWriter, Run, TrainingEvent, TrainOptions } from "../../types.ts";
import { batchPlan, type TaskRows } from "../rows/batches.ts";
import { beginFresh } from "./begin.ts";
import { createTaskEngine } from "../plan/engine.ts";
import { fingerprintsOf } from "./fingerprints.ts";
import { checkFits } from "../plan/fits.ts";
import type { LogMarks, PreparedOutcome } from "./outcome.ts";
import { readTasks } from "../rows/read_tasks.ts";
import { VERSION } from "../../base/version.ts";

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
  const tasks = yield* readTasks(given, host);
  const [{ open: { run } }] = tasks as [TaskRows]; // names of classes may have been read from the rows
  const asks = options.output !== undefined || tasks.some(({ evalRows, test }) => evalRows ?? test);
  const prepared = asks
    ? await (await import("./outcome.ts")).prepareOutcome({ run, host, tasks, options, logs })
    : undefined;
  const engine = await createTaskEngine(tasks, await checkFits(run, host, tasks));
  try {
    yield* trainTasks({ run, host, tasks, engine, prepared, signal: options.signal });
  } finally {
    await prepared?.settled();
    for (const { train } of tasks) await train.close?.();
    await engine.close();
  }
}

/** A run that is open: its tasks, and what they train on. */
type OpenTraining = Readonly<{
  run: Run;
  host: Host;
  tasks: readonly TaskRows[];
  engine: Engine;
  /** Absent where nothing is measured or written. */
  prepared: PreparedOutcome | undefined;
  signal: AbortSignal | undefined;
}>;

/** Goes on from a checkpoint where there is one, trains, and writes what came of it. */
async function* trainTasks(
  { run, host, tasks, engine, prepared, signal }: OpenTraining,
): AsyncIterable<TrainingEvent> {
  const { training, spec: { fingerprints } } = run;
  const plan = batchPlan(run, tasks);
  if (fingerprints) (await import("../checkpoints/resume.ts")).checkContent(fingerprints, await fingerprintsOf(tasks));
  yield* versionWarning(run);
  const outcome = prepared ? yield* prepared.begin(engine, plan.perEpoch) : undefined;
  if (!outcome) yield* beginFresh(tasks, engine);
  let last: Extract<TrainingEvent, { type: "end" }> | undefined;
  const events = trainLoop({
    ...loopParts(run),
    ...outcome?.loop,
    engine,
    steps: countSteps(plan.perEpoch, training),
    rows: countRows(tasks),
    measurePeak: engine.multiplyAdds < WORTH_COMPARING ? undefined : () => peakOf(host),
    batchesOf: plan.of,
    signal,
  });
  for await (const event of events) {
    if (event.type === "end") {
      last = event;
      break;
    }
    yield event;
    if (outcome) yield* outcome.behind(event);
  }
  await outcome?.describe();
  if (!last) return;
  if (last.reason !== "done" && last.reason !== "stopped") return yield last;
  yield { ...last, ...(outcome ? yield* outcome.end(last.step) : {}) };
}

/** The parts of a run that its loop works with. */
function loopParts(
  { training, optimizer, schedule, callbacks, accelerators }: Run,
): Pick<LoopOptions, "training" | "optimizer" | "schedule" | "callbacks" | "lossScale"> {
  const lossScale = accelerators.find((a) => a.lossScale)?.lossScale;
  return { training, optimizer, schedule, callbacks, lossScale };
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
    eval: tasks.reduce((n, { evalRows }) => n + (evalRows?.count ?? 0), 0),
    test: tasks.reduce((n, { test }) => n + (test?.count ?? 0), 0),
  };
}

/** The machine's peak. */
async function peakOf(host: Host): Promise<number | undefined> {
  return await (await import("../../engine/peak.ts")).measurePeak(host);
}
