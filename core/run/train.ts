/**
 * A whole run: open, encode, train, evaluate, write. What happens comes out as events.
 * @module
 */
import { createEngine, type Engine } from "../engine/engine.ts";
import { AttuneError, missing, unknownName } from "../errors.ts";
import { countSteps } from "../loop/steps.ts";
import { layOut } from "../loop/layout.ts";
import { type LoopState, trainLoop } from "../loop/train.ts";
import type {
  Example,
  Host,
  Json,
  LogSink,
  Metric,
  Named,
  Run,
  Sample,
  Store,
  Task,
  TrainingEvent,
  TrainOptions,
} from "../types.ts";
import type { SavedTensors } from "../engine/state.ts";
import type { Evaluator } from "../engine/evaluator.ts";
import { toSpec } from "../compose.ts";
import { type Checkpoints, checkpointsIn } from "./checkpoints.ts";
import { activeIds, dataPath, type EncodedRows, labelledRows, trainData, withFields } from "./data.ts";
import { batchPlan, type TaskRows } from "./batches.ts";
import { measured } from "./evaluate.ts";
import { metricsFile, readsText, together } from "./metrics.ts";
import { collectExamples } from "./examples.ts";
import { inferencer } from "./infer.ts";
import { type OpenRun, openTasks } from "./open.ts";
import { checkSame, lasting } from "./resume.ts";
import { resolvedSpec, writeJson, writeModel } from "./write.ts";

/** Frozen weights up to this size are packed for the matrix products: one more copy of them in memory. */
export const PREPACK_LIMIT: number = 256 * 2 ** 20;

/** Rows whose evaluation is kept for reports. */
const EXAMPLES = 20_000;

/** Trains a run. Throws AttuneError where it cannot start; a run that diverges ends with an "end" event that says so. */
export async function* trainRun(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent> {
  const { output } = options;
  const loggers: LogSink[] = [];
  for (const logger of run.loggers) loggers.push(await logger.open(host, run, output));
  const told = (event: TrainingEvent): TrainingEvent => {
    for (const logger of loggers) logger.log(event);
    return event;
  };
  try {
    for await (const event of trained(run, host, options, logMarks(run, loggers))) yield told(event);
  } finally {
    for (const logger of loggers) await logger.close();
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
  run: Run,
  host: Host,
  options: TrainOptions,
  logs: LogMarks,
): AsyncIterable<TrainingEvent> {
  const { output, signal } = options;
  const { training } = run;
  const tasks: TaskRows[] = [];
  for (const open of await openTasks(run, host)) {
    const { data, task } = open;
    const rows = withFields(await labelledRows(open, trainData(open)), run.regularizers);
    const held = data.eval ? await labelledRows(open, data.eval) : undefined;
    tasks.push({ open, train: task.packing ? (await import("./pack.ts")).packed(open, rows) : rows, held });
    for (const [name, { unlabelled, samples }] of Object.entries({ train: rows, ...(held ? { eval: held } : {}) })) {
      if (unlabelled === 0) continue;
      const message = `${
        dataPath(task)
      }.${name}: ${unlabelled} of ${samples.length} rows have nothing to learn (cut at maxLength?)`;
      yield { type: "warning", step: 0, epoch: 0, code: "NO_LABELS", message };
    }
  }
  const judges = judgesOf(run, tasks.flatMap(({ open, held }) => (held ? [open] : [])));
  const [first] = tasks as [TaskRows];
  const { open } = first;
  // Hashed beside the engine's start and the first steps; without an output nobody asks for it.
  const base = output ? open.checkpoint.fingerprint() : Promise.resolve("");
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
    const same = output ? lasting(toSpec(run) as Named<Json>) : {};
    const checkpoints = output && checkpointsIn(output, training.saveTotalLimit ?? undefined);
    const { name, saved, damaged } = options.resume && checkpoints ? await checkpoints.newest() : { damaged: [] };
    for (const { name, problem } of damaged) {
      const message = `Checkpoint ${name} is damaged and passed over: ${problem}`;
      yield { type: "warning", step: 0, epoch: 0, code: "DAMAGED_CHECKPOINT", message };
    }
    if (saved) {
      checkSame(name ?? "", saved, same, await fingerprintsOf());
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
      await writeJson(store, "spec.json", resolvedSpec(run, host, await fingerprintsOf()));
    if (output) described = describe(output);
    described.catch(() => {});

    const shown = new Map<string, Example[]>();
    const measure = async (
      { open, held }: TaskRows,
      evaluator: Pick<Evaluator, "run" | "generator">,
    ): Promise<Named<number>> => {
      const examples: Example[] = [];
      shown.set(open.task.name, examples);
      return await measured(open, evaluator, held?.samples ?? [], (read) => {
        if (held && examples.length < EXAMPLES) collectExamples(examples, open, held, read);
      });
    };
    const seen = (phase: "before" | "after", step: number, task: Task, metrics: Named<number>): TrainingEvent => ({
      type: "examples",
      step,
      epoch: 0,
      phase,
      task: task.name,
      labels: Object.values((task.config?.id2label ?? {}) as Named<string>),
      metrics,
      examples: shown.get(task.name) ?? [],
    });
    const measuredTasks = tasks.filter(({ held }) => held);
    const wantsReport = run.loggers.some((logger) => logger.name === "report");
    const probes = async (found: ReadonlyMap<string, Named<number>>): Promise<Map<string, Json>> => {
      const results = new Map<string, Json>();
      for (const { open, held } of measuredTasks) {
        const { name } = open.task;
        results.set(
          name,
          await (await import("./probe.ts")).probeOf(engine.of(name), open, held?.samples ?? [], found.get(name) ?? {}),
        );
      }
      return results;
    };
    const measureAll = async (before: (task: string) => void = () => {}): Promise<Map<string, Named<number>>> => {
      const found = new Map<string, Named<number>>();
      for (const task of measuredTasks) {
        const { name } = task.open.task;
        before(name);
        found.set(name, await measure(task, engine.of(name)));
      }
      return found;
    };
    const before = options.probe ? await probes(await measureAll()) : new Map<string, Json>();

    const plan = batchPlan(run, tasks);
    const best = splitBest(saved?.best ?? {}, tasks);
    let latest: SavedTensors | undefined;
    // Each task is measured and written with its own best weights, where they were kept.
    const present = (task: string): void => {
      latest ??= tasks.length > 1 ? engine.state.weights() : undefined;
      const own = best.get(task) ?? latest;
      if (own) engine.state.setWeights(own);
    };
    let restored = false;
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
      evaluate: measuredTasks.length > 0
        ? async (which) => {
          if (which !== "now") await engine.endTraining();
          restored = which === "best";
          byTask = await measureAll(restored ? present : undefined);
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
      for (const { open, held } of measuredTasks) {
        const { task } = open;
        if (wantsReport && held && generatesUnmeasured(open)) {
          const { generatedExamples } = await import("./generated_examples.ts");
          if (restored) present(task.name);
          shown.set(task.name, await generatedExamples(open, engine.of(task.name), held));
        }
        yield seen("after", last.step, task, byTask.get(task.name) ?? {});
      }
      if (wantsReport && measuredTasks.length > 0) {
        // The untouched model's figures, measured last so that the first step does not wait for them.
        await engine.endTraining();
        for (const task of measuredTasks) {
          const untouched = inferencer(task.open);
          yield seen("before", 0, task.open.task, await measure(task, untouched));
          await untouched.close();
        }
      }
      if (measuredTasks.length > 0) await writeJson(output, "metrics.json", metricsFile(tasks, byTask));
      finiteWeights(engine, last.step);
      const probed: Record<string, Json> = {};
      for (const task of tasks) {
        const { name } = task.open.task;
        if (restored) present(name);
        if (options.probe) {
          const after = task.held &&
            await (await import("./probe.ts")).probeOf(
              engine.of(name),
              task.open,
              task.held.samples,
              byTask.get(name) ?? {},
            );
          probed[name] = probeFile(task, before.get(name), after);
        }
        await writeModel(task.open, engine, byTask.get(name) ?? {}, output);
      }
      if (options.probe) await writeJson(output, "probe.json", probed[""] ?? { tasks: probed });
    }
    if (last) yield last;
  } finally {
    // Nothing is written behind a run's end, however it ended.
    await described.catch(() => {});
    await engine.close();
  }
}

/** Opens the engine of one task for given rows. */
export async function engineOf(open: OpenRun, train: EncodedRows, held: EncodedRows | undefined): Promise<Engine> {
  return await engineFor([{ open, train, held }]);
}

/** Opens the engine of a run's tasks. Throws AttuneError where there is none. */
async function engineFor(tasks: readonly TaskRows[]): Promise<Engine> {
  const [first] = tasks;
  if (!first) throw missing("spec", "a task", "the run");
  const { run, host, checkpoint, trunk } = first.open;
  const { training } = run;
  return await createEngine({
    host,
    checkpoint,
    trunk,
    tasks: tasks.map(({ open, train }) => ({
      name: open.task.name,
      heads: open.heads,
      losses: open.losses,
      weight: open.task.weight ?? 1,
      attached: open.attached,
      example: layOut(train.samples.slice(0, 1), open.layout),
      reads: open.task.reads,
      rowsOf: async function* (data) {
        for (const sample of (await labelledRows(open, data)).samples) yield layOut([sample], open.layout);
      },
    })),
    regularizers: run.regularizers,
    optimizer: run.optimizer,
    learningRate: training.learningRate,
    labelSmoothing: training.labelSmoothingFactor,
    checkpointing: training.gradientCheckpointing,
    accumulates: training.gradientAccumulationSteps > 1,
    seed: training.seed,
    // Other epochs may name other ids where samples are drawn, and generated text any.
    activeRows: tasks.some(({ open, train }) => train.drawn || open.metrics.some((m) => readsText(open, m)))
      ? new Map()
      : activeIds(tasks.flatMap(({ train, held }) => [...train.samples, ...(held?.samples ?? [])])),
    prepackLimit: PREPACK_LIMIT,
  });
}

/** Whether a task's rows are answered with text that no metric reads. */
function generatesUnmeasured({ task, metrics }: OpenRun): boolean {
  return task.generate !== undefined && !metrics.some((metric) => metric.reads[0] === "text");
}

/** A weight that is not finite must never be saved: the next good checkpoint would make room for it. */
function finiteWeights(engine: Engine, step: number): void {
  if (engine.state.isFinite()) return;
  throw new AttuneError(`After step ${step} some trained weights are not finite numbers; nothing of them was saved`, {
    code: "NON_FINITE",
    plugin: "train",
  });
}

type Judge = Readonly<{ task: string; name: string; greaterIsBetter: boolean }>;

/**
 * How each task's best weights are told: by the metric that the run names where the task has it, else by its loss. Throws
 * AttuneError where no task has it.
 */
function judgesOf({ training }: Run, tasks: readonly OpenRun[]): Judge[] {
  const asked = training.metricForBestModel?.replace(/^eval_/, "") ?? "loss";
  const all = ["loss", ...tasks.flatMap(({ task, metrics }) => metrics.flatMap(keysOf).map((key) => own(task) + key))];
  const found = tasks.map(({ task, metrics }): Judge & { found: boolean } => {
    const wanted = asked.startsWith(own(task)) ? asked.slice(own(task).length) : asked;
    const known = metrics.find((m) => {
      const keys = keysOf(m);
      // Of one that has its keys from what it sees, no more can be said yet.
      return keys.includes(wanted) || (keys.length === 0 && wanted.startsWith(m.name));
    });
    const greater = training.greaterIsBetter ?? known?.greaterIsBetter ?? false;
    return known || wanted === "loss"
      ? { task: task.name, name: own(task) + wanted, greaterIsBetter: greater, found: true }
      : { task: task.name, name: `${own(task)}loss`, greaterIsBetter: false, found: false };
  });
  if (tasks.length > 0 && !found.some((judge) => judge.found)) {
    throw unknownName("spec", "training.metricForBestModel", "metric", asked, all);
  }
  return found;
}

/** What stands in front of a task's metrics among those of several. */
function own({ name }: Task): string {
  return name === "" ? "" : `${name}_`;
}

function keysOf(metric: Metric): string[] {
  return Object.keys(metric.compute(metric.init()));
}

/** The best weights of each task, by the names that a checkpoint has for them. */
function joinedBest(best: ReadonlyMap<string, SavedTensors>): SavedTensors | undefined {
  if (best.size === 0) return undefined;
  return Object.fromEntries(
    [...best].flatMap(([task, tensors]) => Object.entries(tensors).map(([name, t]) => [bestName(task, name), t])),
  );
}

function splitBest(saved: SavedTensors, tasks: readonly TaskRows[]): Map<string, SavedTensors> {
  const best = new Map<string, SavedTensors>();
  for (const { open: { task } } of tasks) {
    const prefix = bestName(task.name, "");
    const own = Object.entries(saved).filter(([name]) => name.startsWith(prefix));
    if (own.length > 0) best.set(task.name, Object.fromEntries(own.map(([name, t]) => [name.slice(prefix.length), t])));
  }
  return best;
}

function bestName(task: string, name: string): string {
  return task === "" ? name : `${task}|${name}`;
}

function probeFile({ open, train, held }: TaskRows, before: Json | undefined, after: Json | undefined): Json {
  const first = train.samples.slice(0, 6);
  const ids = (s: Sample): Json[] => s.sequences.map(({ fields }) => [...(fields.input_ids?.data ?? [])]);
  const labels = first.map((s): Json => {
    const own = s.sequences[0]?.fields.labels;
    return own ? [...own.data] : Object.values(s.targets).filter((t) => t.column).flatMap((t) => [...t.data]);
  });
  return {
    tokenization: first.map((s) => (s.sequences.length === 1 ? ids(s)[0] ?? [] : ids(s))),
    ...(labels.every((l) => Array.isArray(l) && l.length > 0) ? { tokenizationLabels: labels } : {}),
    ...(open.task.windows
      ? { features: { train: train.samples.length, ...(held ? { eval: held.samples.length } : {}) } }
      : {}),
    ...(before === undefined ? {} : { evalBefore: before }),
    ...(after === undefined ? {} : { eval: after }),
  };
}

/** Whether a store already holds a run. */
export async function isEmpty(store: Store): Promise<boolean> {
  for await (const _ of store.list("")) return false;
  return true;
}
