/** The training loop: chooses batches and learning rates, and when to evaluate and save. The engine does the math. */
import type { Engine } from "../engine/engine.ts";
import type { StepResult } from "../engine/step.ts";
import { AttuneError } from "../base/errors.ts";
import type {
  Batch,
  Callback,
  LossScaleOptions,
  Named,
  Optimizer,
  Schedule,
  TrainingArguments,
  TrainingEvent,
} from "../types.ts";
import {
  checkpointOf,
  countStep,
  createLoopState,
  isBest,
  type Judge,
  judge,
  type LoopState,
  notify,
  type RunningState,
  stepsOfSchedule,
} from "./loop_state.ts";
import { inverseScale } from "./loss_scale.ts";
import { createTriggers, type Triggers } from "./triggers.ts";

/** Number of consecutive steps with a non-finite gradient after which a run counts as diverged. */
const MAX_SKIPPED = 3;

/** Options of the training loop. */
export type LoopOptions = Readonly<{
  engine: Pick<Engine, "step" | "trainableParameters" | "totalParameters">;
  training: TrainingArguments;
  optimizer: Optimizer;
  schedule: Schedule;
  callbacks: readonly Callback[];
  /** Options of loss scaling, if losses are scaled. */
  lossScale?: LossScaleOptions | undefined;
  steps: Readonly<{ perEpoch: number; total: number; epochs: number }>;
  rows: Readonly<{ train: number; eval: number; test?: number }>;
  /** Measures the machine's peak in multiply-adds per second, if steps are to be compared with it. */
  measurePeak?: (() => Promise<number | undefined>) | undefined;
  /** Returns the micro-batches of step `index` of `epoch`; both count from 0. */
  batchesOf(epoch: number, index: number): Promise<readonly Batch[]>;
  /** Returns metrics with the current weights; absent if there is no evaluation data. */
  evaluate?: (which: "now" | "final" | "best") => Promise<Named<number>>;
  /** Writes a checkpoint and returns its name. */
  save?: (state: LoopState) => Promise<string>;
  /** Keeps the current weights as the best of a task; evaluating "best" restores each task's best weights. */
  keepBest?: (task: string) => void;
  resume?: LoopState;
  /** The name of the checkpoint from which the run resumes. */
  resumed?: string;
  signal?: AbortSignal;
  /** The metric that selects each task's best checkpoint; `name` is a key of all tasks' metrics. */
  judges?: readonly Judge[];
}>;

/** Runs the training loop and yields its events. It stops between steps if the signal is aborted. */
export async function* trainLoop(options: LoopOptions): AsyncIterable<TrainingEvent> {
  const { training, steps, signal, resume } = options;
  const loop = createLoop(options);
  const { state, triggers } = loop;
  const ahead = batchesAhead(options);
  const peak = await options.measurePeak?.();
  yield* begin(loop, peak);
  const again = remeasurePeak(loop, peak);
  // If the run was lengthened, its former last step is now an ordinary step, after which an evaluation may be due.
  if (resume?.last && state.step < steps.total && triggers.evaluate(state)) yield* loop.evaluate("now");
  if (training.evalOnStart && state.step === 0) yield* loop.evaluate("now");
  while (state.step < steps.total && state.stop === undefined) {
    if (signal?.aborted) return yield* interrupt(loop);
    const batches = await ahead.at(state.step);
    const rate = rateOf(options, state);
    if (!Number.isFinite(rate.learningRate) || !Number.isFinite(rate.factor)) {
      yield* loop.save(false);
      throw noRate(options, { step: state.step + 1, ...rate, learningRateFactor: state.learningRateFactor });
    }
    const running = runStep(loop, batches, rate);
    // The batches of the next steps are read and encoded while this step computes.
    ahead.prepare(state.step);
    const result = await running;
    yield result.event;
    yield* again();
    if (result.skipped) {
      yield loop.emit(skippedStep(state, steps.perEpoch, result));
      if (state.lossScale?.scale === 0) return yield loop.emit(scaledToNothing(state, steps.perEpoch));
      if (state.inARow >= MAX_SKIPPED) return yield loop.emit(diverged(state, steps.perEpoch, training));
    }
    if (state.step < steps.total && triggers.evaluate(state)) {
      state.control = { ...state.control, evaluate: false };
      yield* loop.evaluate("now");
    }
    if (state.control.keep) { for (const { task } of options.judges ?? []) loop.keep(task); }
    state.learningRateFactor = state.control.learningRateFactor ?? state.learningRateFactor;
    if (triggers.save(state)) yield* loop.save(true);
    state.stop = state.control.stop;
    state.control = {};
  }
  if (signal?.aborted) return yield* interrupt(loop);
  yield* end(loop);
}

/**
 * Limits of preparing ahead: steps, micro-batches, and bytes of micro-batches.
 */
const [STEPS_AHEAD, BATCHES_AHEAD, BYTES_AHEAD] = [8, 16, 32 * 2 ** 20];

/** The micro-batches of steps, some of them prepared ahead of time. */
type BatchesAhead = Readonly<{
  /** Returns the micro-batches of a step (from 0); repeated calls return the same. */
  at(step: number): Promise<readonly Batch[]>;
  /** Starts to prepare the micro-batches of steps from this one on. */
  prepare(step: number): void;
}>;

/** Prepares micro-batches ahead of time. An error of a step's batches is thrown when the step itself is awaited. */
function batchesAhead({ batchesOf, training, steps: { perEpoch, total } }: LoopOptions): BatchesAhead {
  const waiting = new Map<number, Promise<readonly Batch[]>>();
  const most = Math.max(1, Math.min(STEPS_AHEAD, Math.floor(BATCHES_AHEAD / training.gradientAccumulationSteps)));
  // Bytes of the largest step so far.
  let bytes = 0;
  const begin = (step: number): Promise<readonly Batch[]> => {
    const batches = batchesOf(Math.floor(step / perEpoch), step % perEpoch);
    batches.then((encoded) => (bytes = Math.max(bytes, bytesOf(encoded))), () => {});
    waiting.set(step, batches);
    return batches;
  };
  return {
    at: async (step) => {
      for (const earlier of waiting.keys()) if (earlier < step) waiting.delete(earlier);
      return await (waiting.get(step) ?? begin(step));
    },
    prepare: (first) => {
      const ahead = Math.max(1, Math.min(most, Math.floor(BYTES_AHEAD / Math.max(1, bytes))));
      for (let step = first; step < Math.min(first + ahead, total); step++) if (!waiting.has(step)) begin(step);
    },
  };
}

function bytesOf(batches: readonly Batch[]): number {
  return batches.reduce((n, { inputs }) => Object.values(inputs).reduce((m, { data }) => m + data.byteLength, n), 0);
}

/** A running loop, whose functions yield events. */
type Loop = Readonly<{
  options: LoopOptions;
  state: RunningState;
  triggers: Triggers;
  /** Returns the loop's current step and epoch, for events. */
  at(): Readonly<{ step: number; epoch: number }>;
  /** Passes an event to callbacks, and returns it. */
  emit(event: TrainingEvent): TrainingEvent;
  /** Keeps the current weights as the best of a task. */
  keep(task: string): void;
  /** Writes a checkpoint, unless this step already has one. */
  save(planned: boolean): AsyncGenerator<TrainingEvent, void>;
  /** Evaluates and returns the metrics; undefined without evaluation data. */
  evaluate(which: "now" | "final" | "best"): AsyncGenerator<TrainingEvent, Named<number> | undefined>;
}>;

function createLoop(options: LoopOptions): Loop {
  const { training, callbacks, steps, judges = [] } = options;
  const state = createLoopState(callbacks, options.resume, options.lossScale);
  const at = (): Readonly<{ step: number; epoch: number }> => ({
    step: state.step,
    epoch: state.step / steps.perEpoch,
  });
  const emit = (event: TrainingEvent): TrainingEvent => {
    notify(state, callbacks, training, event);
    return event;
  };
  const keep = (task: string): void => {
    options.keepBest?.(task);
    state.kept = { ...state.kept, [task]: state.step };
  };
  return {
    options,
    state,
    triggers: createTriggers(training, steps),
    at,
    emit,
    keep,
    save: async function* (planned) {
      if (!options.save || state.saved === state.step) return;
      const name = await options.save(checkpointOf(state, planned, state.step === steps.total));
      state.saved = state.step;
      yield emit({ type: "checkpoint", ...at(), name });
    },
    evaluate: async function* (which) {
      if (!options.evaluate) return undefined;
      const metrics = await options.evaluate(which);
      const better = which === "best" ? [] : judge(state, judges, metrics);
      if (training.loadBestModelAtEnd) better.forEach(keep);
      yield emit({ type: "evaluate", ...at(), metrics, best: better.length > 0 });
      return metrics;
    },
  };
}

/** Yields the events at the start or resumption of a run. */
function* begin({ options, state, at, emit }: Loop, peak: number | undefined): Generator<TrainingEvent> {
  const { engine, steps, rows, resume, resumed = "" } = options;
  const start: TrainingEvent = {
    type: "start",
    ...at(),
    totalSteps: steps.total,
    totalEpochs: steps.epochs,
    trainableParameters: engine.trainableParameters,
    totalParameters: engine.totalParameters,
    trainRows: rows.train,
    evalRows: rows.eval,
    ...(rows.test ? { testRows: rows.test } : {}),
    ...(peak === undefined ? {} : { peakMultiplyAddsPerSecond: peak }),
  };
  // For callbacks, a resumed run is the interrupted run itself, so they do not see a second start.
  yield resume ? start : emit(start);
  if (!resume?.planned) return;
  yield emit({ type: "checkpoint", ...at(), name: resumed });
  state.stop ??= state.control.stop;
  state.control = {};
}

/**
 * Measures the machine's peak again after steps 1, 2, 4, 8, ..., so that one measurement on a busy machine does not
 * remain the only reference. Yields an event if the peak is higher than before.
 */
function remeasurePeak(
  { options: { measurePeak }, at }: Loop,
  first: number | undefined,
): () => AsyncGenerator<TrainingEvent, void> {
  let [steps, best] = [0, first ?? Infinity];
  return async function* () {
    steps++;
    if (!measurePeak || (steps & (steps - 1)) !== 0) return;
    const peak = await measurePeak() ?? 0;
    if (peak <= best) return;
    best = peak;
    yield { type: "peak", ...at(), peakMultiplyAddsPerSecond: peak };
  };
}

/** Returns the next step's learning rate: by the schedule, times the callbacks' factor, adjusted by the optimizer. */
function rateOf(
  { training, optimizer, schedule, steps }: LoopOptions,
  state: RunningState,
): Readonly<{ factor: number; learningRate: number }> {
  const step = stepsOfSchedule(state);
  const factor = schedule.factor(step, steps.total, training.learningRate) * state.learningRateFactor;
  const scheduled = training.learningRate * factor;
  return { factor, learningRate: optimizer.learningRate?.(step + 1, scheduled) ?? scheduled };
}

async function runStep(
  { options, state, at, emit }: Loop,
  batches: readonly Batch[],
  { factor, learningRate }: Readonly<{ factor: number; learningRate: number }>,
): Promise<StepResult & Readonly<{ event: TrainingEvent }>> {
  const { engine, steps, training } = options;
  state.step++;
  const scale = state.lossScale?.scale;
  const { overflowed, ...result } = await engine.step(batches, {
    lossScale: scale === undefined ? undefined : { scale, inverse: inverseScale(scale) },
    step: state.step - state.skipped,
    totalSteps: steps.total,
    learningRate,
    factor,
    maxGradNorm: training.maxGradNorm,
  });
  countStep(state, { ...result, overflowed }, options.lossScale);
  const tokens = batches.reduce((n, b) => n + b.tokens, 0);
  const samples = batches.reduce((n, b) => n + b.samples, 0);
  const scaled = scale === undefined ? {} : { lossScale: scale };
  const event = emit({ type: "step", ...at(), ...result, ...scaled, learningRate, tokens, samples });
  return { ...result, overflowed, event };
}

/** Ends a run: the last evaluation, the last checkpoint, and the best weights restored. */
async function* end(loop: Loop): AsyncIterable<TrainingEvent> {
  const { options: { training }, state, at, emit } = loop;
  let metrics = yield* loop.evaluate("final");
  // The evaluation after the last step may be the best.
  if (training.saveStrategy === "best" && isBest(state)) yield* loop.save(true);
  if (Object.values(state.kept).some((step) => step !== state.step)) {
    metrics = (yield* loop.evaluate("best")) ?? metrics;
  }
  const { stop } = state;
  const reason = stop === undefined ? "done" : "stopped";
  yield emit({
    type: "end",
    ...at(),
    reason,
    metrics: metrics ?? {},
    ...(stop === undefined ? {} : { message: stop }),
  });
}

async function* interrupt(loop: Loop): AsyncIterable<TrainingEvent> {
  yield* loop.save(false);
  yield loop.emit({ type: "end", ...loop.at(), reason: "interrupted", metrics: {} });
}

function skippedStep(
  { step, lossScale }: RunningState,
  perEpoch: number,
  { gradNorm, loss, overflowed }: StepResult,
): TrainingEvent {
  const at = { step, epoch: step / perEpoch };
  if (lossScale && overflowed) {
    const message = `Step ${step} was skipped because its gradients overflow; the loss scale is now ${lossScale.scale}`;
    return { type: "warning", ...at, code: "LOSS_SCALE", message };
  }
  const message = `Step ${step} was skipped because its gradient norm is ${gradNorm} (loss ${loss})`;
  return { type: "warning", ...at, code: "NON_FINITE", message };
}

function scaledToNothing({ step }: RunningState, perEpoch: number): TrainingEvent {
  const message = `Training diverged: gradients overflowed at every loss scale, most recently in step ${step}, ` +
    `and the scale has fallen to 0. A lower learning rate may help, or "bf16", which needs no scale`;
  return { type: "end", step, epoch: step / perEpoch, reason: "diverged", metrics: {}, message };
}

function diverged(
  { step, inARow }: RunningState,
  perEpoch: number,
  { learningRate }: TrainingArguments,
): TrainingEvent {
  const message =
    `Training diverged: ${inARow} steps in a row had a gradient norm that is not finite, the last one step ${step}. ` +
    `A lower learning rate than ${learningRate} may help`;
  return { type: "end", step, epoch: step / perEpoch, reason: "diverged", metrics: {}, message };
}

/** Returns the error of a learning rate that is not finite, naming the plugin that caused it. */
function noRate(
  { schedule, optimizer, training }: LoopOptions,
  { step, factor, learningRate, learningRateFactor }: Named<number>,
): AttuneError {
  const [kind, name, value] = !Number.isFinite(learningRateFactor)
    ? ["callback", "learningRateFactor", learningRateFactor]
    : Number.isFinite(factor)
    ? ["optimizer", optimizer.name, learningRate]
    : ["schedule", schedule.name, factor];
  const why = `The ${kind} "${name}" gives ${value} for the rate of step ${step}, instead of a finite number`;
  const hint = training.learningRate === 0 ? " (training.learningRate is 0)" : "";
  return new AttuneError(why + hint, { code: "BAD_VALUE", plugin: String(name), path: `${kind}`, found: value });
}
