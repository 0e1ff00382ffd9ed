/**
 * Trains a run's opened tasks: the engine, the loop, and the results. Loaded while a run reads its model and rows.
 */
import type { Engine } from "../../engine/engine.ts";
import { countSteps } from "../../loop/steps.ts";
import { type LoopOptions, trainLoop } from "../../loop/train.ts";
import type { Host, Run, TrainingEvent, TrainOptions } from "../../types.ts";
import { batchPlan } from "../rows/batches.ts";
import { splitsOf, type TaskRows } from "../rows/task_rows.ts";
import { beginFresh } from "./begin.ts";
import { createTaskEngine } from "../plan/engine.ts";
import { fingerprintsOf } from "./fingerprints.ts";
import { checkFits } from "../plan/fits.ts";
import type { LogMarks, PreparedOutcome } from "./outcome.ts";
import { VERSION } from "../../base/version.ts";

/** Multiply-adds of a step below which other work dominates, so that it is not compared with the machine's peak. */
const WORTH_COMPARING = 1e9;

/** A run whose tasks are open. */
export type OpenTasks = Readonly<{ host: Host; tasks: readonly TaskRows[]; options: TrainOptions; logs: LogMarks }>;

/** Trains tasks together. Throws AttuneError if they do not fit into memory, or if nothing trains. */
export async function* trainTasks({ host, tasks, options, logs }: OpenTasks): AsyncIterable<TrainingEvent> {
  const [{ open: { run } }] = tasks as [TaskRows]; // names of classes may have been read from the rows
  const asks = options.output !== undefined || tasks.some(({ evalRows, test }) => evalRows ?? test);
  const prepared = asks
    ? await (await import("./outcome.ts")).prepareOutcome({ run, host, tasks, options, logs })
    : undefined;
  const engine = await createTaskEngine(tasks, await checkFits(run, host, tasks));
  try {
    yield* trainWith({ run, host, tasks, engine, prepared, signal: options.signal });
  } finally {
    await prepared?.settled();
    for (const [, rows] of tasks.flatMap(splitsOf)) await rows.close?.();
    await engine.close();
  }
}

/** An open run: its tasks, and the engine that trains them. */
type OpenTraining = Readonly<{
  run: Run;
  host: Host;
  tasks: readonly TaskRows[];
  engine: Engine;
  /** Absent if nothing is measured or written. */
  prepared: PreparedOutcome | undefined;
  signal: AbortSignal | undefined;
}>;

/** Resumes from a checkpoint if there is one, trains, and writes the results. */
async function* trainWith({ run, host, tasks, engine, prepared, signal }: OpenTraining): AsyncIterable<TrainingEvent> {
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

/** Returns the parts of a run that its loop needs. */
function loopParts(
  { training, optimizer, schedule, callbacks, accelerators }: Run,
): Pick<LoopOptions, "training" | "optimizer" | "schedule" | "callbacks" | "lossScale"> {
  const lossScale = accelerators.find((a) => a.lossScale)?.lossScale;
  return { training, optimizer, schedule, callbacks, lossScale };
}

function* versionWarning({ spec }: Run): Generator<TrainingEvent> {
  const { attune: version = VERSION } = spec.versions ?? {};
  if (version === VERSION) return;
  const message = `The spec was written by Attune ${version}, and this is ${VERSION}: numbers may differ`;
  yield { type: "warning", step: 0, epoch: 0, code: "OTHER_VERSION", message };
}

function countRows(tasks: readonly TaskRows[]): Readonly<{ train: number; eval: number; test: number }> {
  return {
    train: tasks.reduce((n, { train }) => n + train.count, 0),
    eval: tasks.reduce((n, { evalRows }) => n + (evalRows?.count ?? 0), 0),
    test: tasks.reduce((n, { test }) => n + (test?.count ?? 0), 0),
  };
}

/** Returns the machine's peak speed. */
async function peakOf(host: Host): Promise<number | undefined> {
  return await (await import("../../engine/peak.ts")).measurePeak(host);
}
