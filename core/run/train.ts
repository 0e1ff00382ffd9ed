/**
 * A whole run: open, encode, train, evaluate, write. What happens comes out as events.
 * @module
 */
import { toSpec } from "../compose.ts";
import type { Engine } from "../engine/engine.ts";
import type { SavedTensors } from "../engine/state.ts";
import { AttuneError } from "../errors.ts";
import { countSteps } from "../loop/steps.ts";
import { type LoopState, trainLoop } from "../loop/train.ts";
import type { Host, Json, LogSink, Named, Run, Store, TrainingEvent, TrainOptions } from "../types.ts";
import { batchPlan, type TaskRows } from "./batches.ts";
import { joinedBest, judgesOf, splitBest } from "./best.ts";
import { type Checkpoints, checkpointsIn } from "./checkpoints.ts";
import { dataPath, labelledRows, trainData, withFields } from "./data.ts";
import { engineFor } from "./engine.ts";
import { inferencer } from "./infer.ts";
import { measuredTasks } from "./measured_tasks.ts";
import { metricsFile, together } from "./metrics.ts";
import { openTasks } from "./open.ts";
import { changedLength, checkContent, checkSame, keptSpec } from "./resume.ts";
import { VERSION } from "../version.ts";
import { resolvedSpec, writeJson, writeModel } from "./write.ts";

/** Trains a run. Throws AttuneError where it cannot start; a run that diverges ends with an "end" event that says so. */
export async function* trainRun(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent> {
  const { output } = options;
  // Before anything is read: nobody wants to hear after the last step that it cannot be written.
  const release = await output?.claim?.();
  const loggers: LogSink[] = [];
  const told = (event: TrainingEvent): TrainingEvent => {
    for (const logger of loggers) logger.log(event);
    return event;
  };
  try {
    for (const logger of run.loggers) loggers.push(await logger.open(host, run, output));
    for await (const event of trained(run, host, options, logMarks(run, loggers))) yield told(event);
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

function logMarks({ loggers }: Run, sinks: readonly LogSink[]): LogMarks {
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

async function* trained(
  given: Run,
  host: Host,
  options: TrainOptions,
  logs: LogMarks,
): AsyncIterable<TrainingEvent> {
  const { output, signal } = options;
  const { training } = given;
  const tasks: TaskRows[] = [];
  for (const open of await openTasks(given, host)) {
    const { data, task, run } = open;
    for (const message of task.notes ?? []) yield { type: "warning", step: 0, epoch: 0, code: "CLASSES", message };
    const rows = withFields(await labelledRows(open, trainData(open)), run.regularizers);
    const held = data.eval ? await labelledRows(open, data.eval, rows.reading) : undefined;
    tasks.push({ open, train: task.packing ? (await import("./pack.ts")).packed(open, rows) : rows, held });
    for (
      const [name, { unlabelled, samples, notes }] of Object.entries({ train: rows, ...(held ? { eval: held } : {}) })
    ) {
      for (const note of notes) {
        yield { type: "warning", step: 0, epoch: 0, code: "ROWS", message: `${dataPath(task)}.${name}: ${note}` };
      }
      if (unlabelled === 0) continue;
      const message = `${
        dataPath(task)
      }.${name}: ${unlabelled} of ${samples.length} rows have nothing to learn (cut at maxLength?)`;
      yield { type: "warning", step: 0, epoch: 0, code: "NO_LABELS", message };
    }
  }
  const [first] = tasks as [TaskRows];
  const { open } = first;
  // Names of classes may have been read from the rows.
  const { run } = open;
  const judges = judgesOf(run, tasks.flatMap(({ open, held }) => (held ? [open] : [])));
  await (await import("./plan.ts")).checkFits(run, host, tasks);
  // Hashed beside the engine's start and the first steps; without an output nobody asks for it.
  const base = output || run.spec.fingerprints ? open.checkpoint.fingerprint() : Promise.resolve("");
  base.catch(() => {});
  const engine = await engineFor(tasks);
  let described: Promise<void> = Promise.resolve();
  try {
    const fingerprintsOf = async (): Promise<Named<string>> => ({
      base: await base,
      tokenizer: open.tokenizer.fingerprint,
      ...Object.fromEntries(tasks.flatMap(({ open: { task }, train, held }) => {
        const prefix = task.name === "" ? "" : `${task.name}.`;
        return [[`${prefix}train`, train.fingerprint], ...(held ? [[`${prefix}eval`, held.fingerprint]] : [])];
      })),
    });
    const plan = batchPlan(run, tasks);
    const same = output ? keptSpec(toSpec(run) as Named<Json>) : {};
    if (run.spec.fingerprints) checkContent(run.spec.fingerprints, await fingerprintsOf());
    const { attune: version = VERSION } = run.spec.versions ?? {};
    if (version !== VERSION) {
      const message = `The spec was written by Attune ${version} and this is ${VERSION}: numbers may differ`;
      yield { type: "warning", step: 0, epoch: 0, code: "OTHER_VERSION", message };
    }
    const checkpoints = output && checkpointsIn(output, training.saveTotalLimit ?? undefined);
    const { name, saved, damaged } = options.resume && checkpoints ? await checkpoints.newest() : { damaged: [] };
    for (const { name, problem } of damaged) {
      const message = `Checkpoint ${name} is damaged and passed over: ${problem}`;
      yield { type: "warning", step: 0, epoch: 0, code: "DAMAGED_CHECKPOINT", message };
    }
    if (saved) {
      checkSame(name ?? "", saved, same, await fingerprintsOf());
      const message = changedLength(saved, training, plan.perEpoch, run.schedule);
      if (message) yield { type: "warning", step: saved.state.step, epoch: 0, code: "OTHER_LENGTH", message };
      await checkpoints?.retire(name ?? "");
      engine.restore(saved.tensors);
      logs.resume(saved.logs);
    } else if (engine.fresh.length > 0) {
      const message = `${engine.fresh.length} parameters are not in ${open.checkpoint.label} and start at random: ${
        engine.fresh.slice(0, 6).join(", ")
      }`;
      yield { type: "warning", step: 0, epoch: 0, code: "NEW_PARAMETERS", message };
    }
    const describe = async (store: Store): Promise<void> =>
      await writeJson(store, "spec.json", await resolvedSpec(run, host, await fingerprintsOf()));
    if (output) described = describe(output);
    described.catch(() => {});

    const held = measuredTasks(tasks);
    const wantsReport = run.loggers.some((logger) => logger.name === "report");
    const prober = options.probe ? (await import("./probe.ts")).prober(engine, tasks) : undefined;
    await prober?.before(await held.measureAll(engine.of));

    const best = splitBest(saved?.best ?? {}, tasks);
    let latest: SavedTensors | undefined;
    let restored = false;
    // Each task is measured, shown and written with its own best weights, where they were kept.
    const bestOf = (task: string): ReturnType<Engine["of"]> => {
      if (restored) {
        latest ??= tasks.length > 1 ? engine.state.weights() : undefined;
        const own = best.get(task) ?? latest;
        if (own) engine.state.setWeights(own);
      }
      return engine.of(task);
    };
    const save = async (store: Checkpoints, state: LoopState): Promise<string> => {
      finiteWeights(engine, state.step);
      await described;
      const fingerprints = await fingerprintsOf();
      const tensors = engine.tensors();
      const kept = joinedBest(best);
      return await store.save({ state, tensors, best: kept, fingerprints, spec: same, logs: await logs.mark() });
    };
    let byTask = new Map<string, Named<number>>();
    let diverged = false;
    let last: TrainingEvent | undefined;
    const events = trainLoop({
      engine,
      training,
      optimizer: run.optimizer,
      schedule: run.schedule,
      callbacks: run.callbacks,
      steps: countSteps(plan.perEpoch, training),
      rows: {
        train: tasks.reduce((n, { train }) => n + train.samples.length, 0),
        eval: tasks.reduce((n, { held }) => n + (held?.samples.length ?? 0), 0),
      },
      batchesOf: plan.of,
      evaluate: held.tasks.length > 0
        ? async (which) => {
          if (which !== "now") await engine.endTraining();
          restored = which === "best";
          byTask = await held.measureAll(bestOf);
          return together(tasks, byTask);
        }
        : undefined,
      save: checkpoints && ((state) => save(checkpoints, state)),
      keepBest: (task) => best.set(task, engine.state.weights()),
      resume: saved?.state,
      resumed: name,
      signal,
      judges,
    });
    for await (const event of events) {
      if (event.type === "end") {
        last = event;
        diverged = event.reason !== "done" && event.reason !== "stopped";
        break;
      }
      yield event;
    }
    await described;
    if (last && !diverged && output) {
      for (const task of held.tasks) {
        const { name } = task.open.task;
        const metrics = byTask.get(name) ?? {};
        yield await held.shown(task, bestOf(name), {
          phase: "after",
          step: last.step,
          metrics,
          generates: wantsReport,
        });
      }
      if (wantsReport && held.tasks.length > 0) {
        // The untouched model's figures, measured last so that the first step does not wait for them.
        await engine.endTraining();
        for (const task of held.tasks) {
          const untouched = inferencer(task.open);
          const metrics = await held.measure(task, untouched);
          yield await held.shown(task, untouched, { phase: "before", step: 0, metrics, generates: false });
          await untouched.close();
        }
      }
      if (held.tasks.length > 0) await writeJson(output, "metrics.json", metricsFile(tasks, byTask));
      finiteWeights(engine, last.step);
      for (const task of tasks) {
        const { name } = task.open.task;
        const metrics = byTask.get(name) ?? {};
        await prober?.after(task, bestOf(name), metrics);
        await writeModel(task.open, engine, metrics, output);
      }
      if (prober) await writeJson(output, "probe.json", prober.file());
    }
    if (last) yield last;
  } finally {
    // Nothing is written behind a run's end, however it ended.
    await described.catch(() => {});
    await engine.close();
  }
}

/** A weight that is not finite must never be saved: the next good checkpoint would make room for it. */
function finiteWeights(engine: Engine, step: number): void {
  if (engine.state.isFinite()) return;
  throw new AttuneError(`After step ${step} some trained weights are not finite numbers; nothing of them was saved`, {
    code: "NON_FINITE",
    plugin: "train",
  });
}
