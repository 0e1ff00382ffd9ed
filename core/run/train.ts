/**
 * A whole run: open, encode, train, evaluate, write. What happens comes out as events.
 * @module
 */
import { toSpec } from "../compose.ts";
import type { Engine } from "../engine/engine.ts";
import type { Evaluator } from "../engine/evaluator.ts";
import type { SavedTensors } from "../engine/state.ts";
import { AttuneError } from "../errors.ts";
import { countSteps } from "../loop/steps.ts";
import type { LoopState } from "../loop/loop_state.ts";
import { trainLoop } from "../loop/train.ts";
import type { Dataset, Host, Json, LogWriter, Named, Run, Store, TrainingEvent, TrainOptions } from "../types.ts";
import { batchPlan, type TaskRows } from "./batches.ts";
import { joinedBest, selectBestMetrics, splitBest } from "./best.ts";
import { type Checkpoints, checkpointsIn } from "./checkpoints.ts";
import { dataPath, labelledRows, trainData, withFields } from "./data.ts";
import { createTaskEngine } from "./engine.ts";
import { openEvaluator } from "./infer.ts";
import { type MeasuredTask, type MeasuredTasks, measuredTasks } from "./measured_tasks.ts";
import { answersPrompts, checkGeneration, sampled, samplesFile, samplesFrom } from "./samples.ts";
import { combineTaskMetrics, metricsFile } from "./metrics.ts";
import { openTasks } from "./open.ts";
import { tellingOf } from "./telling.ts";
import { assertSameRun, changedLength, checkContent, specToKeep } from "./resume.ts";
import { VERSION } from "../version.ts";
import { resolvedSpec, writeJson, writeModel } from "./write.ts";

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
  const { output, signal } = options;
  const { training } = given;
  const tasks: TaskRows[] = [];
  for (const open of await openTasks(given, host)) {
    const { data, task, run } = open;
    for (const message of task.notes ?? []) yield { type: "warning", step: 0, epoch: 0, code: "CLASSES", message };
    const read = async function* (name: string, dataset: Dataset, reading?: unknown) {
      const what = `${dataPath(task)}.${name}`;
      return yield* tellingOf(host, (tell) => labelledRows(open, dataset, { reading, tell, what }));
    };
    const rows = withFields(yield* read("train", trainData(open)), run.regularizers);
    const held = data.eval ? yield* read("eval", data.eval, rows.reading) : undefined;
    tasks.push({ open, train: task.packing ? (await import("./pack.ts")).packRows(open, rows) : rows, held });
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
  const held = measuredTasks(tasks);
  const wantsReport = run.loggers.some((logger) => logger.name === "report");
  await checkGeneration(held.tasks, output !== undefined);
  const judges = selectBestMetrics(run, tasks.flatMap(({ open, held }) => (held ? [open] : [])));
  const engine = await createTaskEngine(tasks, await (await import("./plan.ts")).checkFits(run, host, tasks));
  let described: Promise<void> | undefined;
  try {
    const fingerprintsOf = async (): Promise<Named<string>> => ({
      base: await open.checkpoint.fingerprint(),
      tokenizer: open.tokenizer.fingerprint,
      ...Object.fromEntries(tasks.flatMap(({ open: { task }, train, held }) => {
        const prefix = task.name === "" ? "" : `${task.name}.`;
        return [[`${prefix}train`, train.fingerprint], ...(held ? [[`${prefix}eval`, held.fingerprint]] : [])];
      })),
    });
    const plan = batchPlan(run, tasks);
    const same = output ? specToKeep(toSpec(run) as Named<Json>, run.catalog) : {};
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
      assertSameRun(name ?? "", saved, same, await fingerprintsOf(), run.catalog);
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
    const write = async (store: Store): Promise<void> =>
      await writeJson(store, "spec.json", await resolvedSpec(run, host, await fingerprintsOf()));
    // The weights are hashed for it, so it is begun behind the first step, and goes on beside the next.
    const describe = (): Promise<void> => {
      described ??= output ? write(output) : Promise.resolve();
      described.catch(() => {});
      return described;
    };

    const prober = options.probe ? (await import("./probe.ts")).createProber(engine, tasks) : undefined;
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
      await describe();
      const fingerprints = await fingerprintsOf();
      const tensors = engine.tensors();
      const kept = joinedBest(best);
      return await store.save({ state, tensors, best: kept, fingerprints, spec: same, logs: await logs.mark() });
    };
    const keepSamples = samplesFile(output, saved?.state.step ?? 0);
    const emit: TrainingEvent[] = [];
    let failed: unknown;
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
      peak: engine.multiplyAdds < WORTH_COMPARING
        ? undefined
        : await (await import("../engine/peak.ts")).measurePeak(host),
      batchesOf: plan.of,
      evaluate: held.tasks.length > 0
        ? async (which) => {
          if (which !== "now") await engine.endTraining();
          restored = which === "best";
          try {
            byTask = await held.measureAll(bestOf);
          } catch (error) {
            // What is trained is written first, whatever an evaluation does.
            if (!output) throw error;
            if (which === "now") emit.push(notShown(0, error));
            else failed ??= error;
            byTask = new Map();
            return {};
          }
          if (which === "now" && output) emit.push(...await samplesNow(held, engine.of));
          return combineTaskMetrics(tasks, byTask);
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
      if (event.type === "step") describe();
      for (const own of emit.splice(0)) {
        const at = { ...own, step: event.step, epoch: event.epoch };
        await keepSamples(at);
        yield at;
      }
    }
    await describe();
    if (last && !diverged && output) {
      if (held.tasks.length > 0 && !failed) await writeJson(output, "metrics.json", metricsFile(tasks, byTask));
      finiteWeights(engine, last.step);
      for (const task of tasks) {
        const { name } = task.open.task;
        const metrics = byTask.get(name) ?? {};
        const own = bestOf(name);
        if (!failed) await prober?.after(task, own, metrics);
        await writeModel(task.open, engine, metrics, output);
      }
      if (prober && !failed) await writeJson(output, "probe.json", prober.file());
      if (failed) throw failed;
      for await (const event of shownRows(held, bestOf, byTask, last.step, wantsReport, engine)) {
        await keepSamples(event);
        yield event;
      }
    }
    if (last) yield last;
  } finally {
    // Nothing is written behind a run's end, however it ended.
    await described?.catch(() => {});
    await engine.close();
  }
}

/** Some answers of every task that goes on with prompts, as an evaluation within training leaves them. */
async function samplesNow(held: MeasuredTasks, evaluatorOf: Engine["of"]): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  for (const task of held.tasks.filter(answersPrompts)) {
    const { name } = task.open.task;
    const measured = samplesFrom(held.examplesOf(task));
    try {
      const samples = measured.length > 0 ? measured : await sampled(task, evaluatorOf(name));
      events.push({ type: "samples", step: 0, epoch: 0, task: name, samples });
    } catch (error) {
      events.push(notShown(0, error));
    }
  }
  return events;
}

/** What only shows may fail without taking the run with it. */
function notShown(step: number, error: unknown): TrainingEvent {
  const message = `Nothing was measured or shown: ${error instanceof Error ? error.message : String(error)}`;
  return { type: "warning", step, epoch: 0, code: "NOT_SHOWN", message };
}

/** Rows as the trained model answers them, and where a report wants them as the untouched one does. */
async function* shownRows(
  held: MeasuredTasks,
  bestOf: Engine["of"],
  byTask: ReadonlyMap<string, Named<number>>,
  step: number,
  wantsReport: boolean,
  engine: Engine,
): AsyncIterable<TrainingEvent> {
  const both = async function* (
    task: MeasuredTask,
    evaluator: Pick<Evaluator, "run" | "generator">,
    at: Readonly<{ phase: "before" | "after"; step: number; metrics: Named<number> }>,
  ): AsyncIterable<TrainingEvent> {
    try {
      yield await held.shown(task, evaluator, { ...at, generates: wantsReport });
      if (!answersPrompts(task)) return;
      const measured = samplesFrom(held.examplesOf(task));
      const samples = measured.length > 0 ? measured : await sampled(task, evaluator);
      yield { type: "samples", step: at.step, epoch: 0, task: task.open.task.name, samples };
    } catch (error) {
      yield notShown(at.step, error);
    }
  };
  for (const task of held.tasks) {
    const { name } = task.open.task;
    yield* both(task, bestOf(name), { phase: "after", step, metrics: byTask.get(name) ?? {} });
  }
  if (!wantsReport || held.tasks.length === 0) return;
  // The untouched model's figures, measured last so that the first step does not wait for them.
  await engine.endTraining();
  for (const task of held.tasks) {
    const untouched = openEvaluator(task.open);
    try {
      const metrics = await held.measure(task, untouched);
      yield* both(task, untouched, { phase: "before", step: 0, metrics });
    } finally {
      await untouched.close();
    }
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
