/**
 * A whole run: open, encode, train, evaluate, write. What happens comes out as events.
 * @module
 */
import { createEngine, type Engine } from "../engine/engine.ts";
import { AttuneError, missing, refused } from "../errors.ts";
import { batchesPerEpoch, countSteps } from "../loop/steps.ts";
import { layOut } from "../loop/layout.ts";
import { type LoopState, trainLoop } from "../loop/train.ts";
import { createRandom } from "../random.ts";
import { epochOrder } from "../sampling.ts";
import type {
  Batch,
  Example,
  Host,
  Json,
  LogSink,
  Named,
  Run,
  Sample,
  Store,
  TrainingEvent,
  TrainOptions,
} from "../types.ts";
import type { Evaluator } from "../engine/evaluator.ts";
import { toSpec } from "../compose.ts";
import { type Checkpoints, checkpointsIn } from "./checkpoints.ts";
import { activeIds, type EncodedRows, withFields } from "./data.ts";
import { measured } from "./evaluate.ts";
import { collectExamples } from "./examples.ts";
import { inferencer } from "./infer.ts";
import { readsText } from "./generate.ts";
import { type OpenRun, openRun } from "./open.ts";
import { packed } from "./pack.ts";
import { probeOf } from "./probe.ts";
import { checkSame, lasting } from "./resume.ts";
import { labelledRows } from "./teacher.ts";
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
  const open = await openRun(run, host);
  const { training } = run;
  if (!run.data.train) throw refused("spec", "data.train is missing: there is nothing to train on");
  const rows = withFields(await labelledRows(open, run.data.train), run.regularizers);
  const train = open.task.packing ? packed(open, rows) : rows;
  const held = run.data.eval ? await labelledRows(open, run.data.eval) : undefined;
  for (const [name, { unlabelled, samples }] of Object.entries({ train: rows, ...(held ? { eval: held } : {}) })) {
    if (unlabelled === 0) continue;
    const message = `data.${name}: ${unlabelled} of ${samples.length} rows have nothing to learn (cut at maxLength?)`;
    yield { type: "warning", step: 0, epoch: 0, code: "NO_LABELS", message };
  }
  const engine = await engineOf(open, train, held);
  try {
    const fingerprints = {
      base: open.checkpoint.fingerprint,
      tokenizer: open.tokenizer.fingerprint,
      train: train.fingerprint,
      ...(held ? { eval: held.fingerprint } : {}),
    };
    const spec = output && resolvedSpec(run, host, fingerprints);
    const same = output ? lasting(toSpec(run) as Named<Json>) : {};
    const checkpoints = output && checkpointsIn(output, training.saveTotalLimit ?? undefined);
    const { name, saved, damaged } = options.resume && checkpoints ? await checkpoints.newest() : { damaged: [] };
    for (const { name, problem } of damaged) {
      const message = `Checkpoint ${name} is damaged and passed over: ${problem}`;
      yield { type: "warning", step: 0, epoch: 0, code: "DAMAGED_CHECKPOINT", message };
    }
    if (saved) {
      checkSame(name ?? "", saved, same, fingerprints);
      await checkpoints?.retire(name ?? "");
      engine.restore(saved.tensors);
      logs.resume(saved.logs);
    } else if (engine.fresh.length > 0) {
      const message = `${engine.fresh.length} parameters are not in ${open.checkpoint.label} and start at random: ${
        engine.fresh.slice(0, 6).join(", ")
      }`;
      yield { type: "warning", step: 0, epoch: 0, code: "NEW_PARAMETERS", message };
    }
    if (output && spec) await writeJson(output, "spec.json", spec);

    let examples: Example[] = [];
    const measure = async (evaluator: Pick<Evaluator, "run" | "generator">): Promise<Named<number>> => {
      examples = [];
      return await measured(open, evaluator, held?.samples ?? [], (batch, outputs, readings) => {
        if (held && examples.length < EXAMPLES) collectExamples(examples, open, held, batch, outputs, readings);
      });
    };
    const labels = Object.values((open.task.config?.id2label ?? {}) as Named<string>);
    const seen = (phase: "before" | "after", step: number, metrics: Named<number>): TrainingEvent => ({
      type: "examples",
      step,
      epoch: 0,
      phase,
      labels,
      metrics,
      examples,
    });
    const wantsReport = run.loggers.some((logger) => logger.name === "report");
    const before = held && options.probe ? await probeOf(engine, open, held.samples, await measure(engine)) : undefined;

    const steps = countSteps(
      batchesPerEpoch(train.samples.length, training.perDeviceTrainBatchSize, training.dataloaderDropLast),
      training,
    );
    let best = saved?.best;
    const save = async (store: Checkpoints, state: LoopState): Promise<string> => {
      finiteWeights(engine, state.step);
      const tensors = engine.tensors();
      return await store.save({ state, tensors, best, fingerprints, spec: same, logs: await logs.mark() });
    };
    let metrics: Named<number> = {};
    let diverged = false;
    let last: TrainingEvent | undefined;
    const events = trainLoop({
      engine,
      training,
      optimizer: run.optimizer,
      schedule: run.schedule,
      callbacks: run.callbacks,
      steps,
      rows: { train: train.samples.length, eval: held?.samples.length ?? 0 },
      batchesOf: batchPlan(open, train),
      evaluate: held
        ? async (final) => {
          if (final) await engine.endTraining();
          return await measure(engine);
        }
        : undefined,
      save: checkpoints && ((state) => save(checkpoints, state)),
      keepBest: () => (best = engine.state.weights()),
      restoreBest: () => best && engine.state.setWeights(best),
      resume: saved?.state,
      resumed: name,
      signal,
      metric: bestMetric(run, open),
    });
    for await (const event of events) {
      if (event.type === "evaluate") metrics = event.metrics;
      if (event.type === "end") {
        last = event;
        diverged = event.reason !== "done" && event.reason !== "stopped";
        break;
      }
      yield event;
    }
    if (last && !diverged && output) {
      if (held) yield seen("after", last.step, metrics);
      if (held && wantsReport) {
        // The untouched model's figures, measured last so that the first step does not wait for them.
        await engine.endTraining();
        const untouched = inferencer(open);
        yield seen("before", 0, await measure(untouched));
        await untouched.close();
      }
      if (held) await writeJson(output, "metrics.json", metrics);
      if (options.probe) {
        const after = held ? await probeOf(engine, open, held.samples, metrics) : undefined;
        await writeJson(output, "probe.json", probeFile(open, train, held, before, after));
      }
      finiteWeights(engine, last.step);
      await writeModel(open, engine, metrics, output);
    }
    if (last) yield last;
  } finally {
    await engine.close();
  }
}

/** A task of a run, opened, with its rows. */
export type TaskRows = Readonly<{ open: OpenRun; train: EncodedRows; held: EncodedRows | undefined }>;

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

/** The micro-batches of each step, from seeded orders of the epochs. */
function batchPlan(open: OpenRun, { samples, drawn }: EncodedRows): (epoch: number, index: number) => readonly Batch[] {
  const { training } = open.run;
  const random = createRandom(training.dataSeed ?? training.seed).fork("order");
  const size = training.perDeviceTrainBatchSize;
  const count = batchesPerEpoch(samples.length, size, training.dataloaderDropLast);
  let known: { epoch: number; order: Int32Array } | undefined;
  return (epoch, index) => {
    if (known?.epoch !== epoch) {
      const lengths = (i: number): number => samples[i]?.sequences.reduce((n, s) => n + s.length, 0) ?? 0;
      const options = { count: samples.length, strategy: training.trainSamplingStrategy, batchSize: size, lengths };
      known = { epoch, order: epochOrder({ ...options, random: random.fork(epoch) }) };
    }
    const first = index * training.gradientAccumulationSteps;
    const batches: Batch[] = [];
    for (let b = first; b < Math.min(first + training.gradientAccumulationSteps, count); b++) {
      const chosen = [...known.order.subarray(b * size, (b + 1) * size)].flatMap((i) =>
        (epoch > 0 && drawn ? drawn(i, epoch) : samples[i]) ?? []
      );
      batches.push(layOut(chosen, open.layout));
    }
    return batches;
  };
}

/** A weight that is not finite must never be saved: the next good checkpoint would make room for it. */
function finiteWeights(engine: Engine, step: number): void {
  if (engine.state.isFinite()) return;
  throw new AttuneError(`After step ${step} some trained weights are not finite numbers; nothing of them was saved`, {
    code: "NON_FINITE",
    plugin: "train",
  });
}

function bestMetric(run: Run, open: OpenRun): { name: string; greaterIsBetter: boolean } {
  const name = (run.training.metricForBestModel ?? "loss").replace(/^eval_/, "");
  const known = open.metrics.find((m) => name === m.name || name.startsWith(`${m.name}_`));
  return { name, greaterIsBetter: run.training.greaterIsBetter ?? known?.greaterIsBetter ?? !name.endsWith("loss") };
}

function probeFile(
  open: OpenRun,
  train: EncodedRows,
  held: EncodedRows | undefined,
  before: Json | undefined,
  after: Json | undefined,
): Json {
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
