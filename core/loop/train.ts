/**
 * The training loop: which batches, which rate, when to evaluate and save. It moves no numbers itself.
 * @module
 */
import type {
  Batch,
  Callback,
  Named,
  Optimizer,
  Schedule,
  TrainerControl,
  TrainingArguments,
  TrainingEvent,
} from "../types.ts";
import { AttuneError } from "../errors.ts";
import type { Engine } from "../engine/engine.ts";

/** Steps in a row whose gradient is not finite before a run is given up. */
const MAX_SKIPPED = 3;

/** What the loop is made of. */
export type LoopOptions = Readonly<{
  engine: Pick<Engine, "step" | "trainableParameters" | "totalParameters">;
  training: TrainingArguments;
  optimizer: Optimizer;
  schedule: Schedule;
  callbacks: readonly Callback[];
  steps: Readonly<{ perEpoch: number; total: number; epochs: number }>;
  rows: Readonly<{ train: number; eval: number }>;
  /** Multiply-adds a second that the machine can do, where that was measured. */
  peak?: number | undefined;
  /** The micro-batches of step `index` (from 0) of `epoch` (from 0). */
  batchesOf(epoch: number, index: number): readonly Batch[];
  /** Metrics with the present weights; absent where there is no evaluation data. */
  evaluate?: (which: "now" | "final" | "best") => Promise<Named<number>>;
  /** Writes a checkpoint and says its name. */
  save?: (state: LoopState) => Promise<string>;
  /** Keeps the present weights as the best of a task; evaluating "best" puts each task's back. */
  keepBest?: (task: string) => void;
  resume?: LoopState;
  /** The name of the checkpoint that the run goes on from. */
  resumed?: string;
  signal?: AbortSignal;
  /** How each task's best checkpoint is chosen: `name` is among all metrics. */
  judges?: readonly Readonly<{ task: string; name: string; greaterIsBetter: boolean }>[];
}>;

/** What of the loop a checkpoint holds: all that the next step depends on and does not follow from its number. */
export type LoopState = Readonly<{
  step: number;
  skipped: number;
  /** Skipped steps in a row. */
  inARow: number;
  callbacks: readonly unknown[];
  /** Of each task. */
  best: Named<Readonly<{ step: number; value: number }>>;
  /** The step whose weights are kept as each task's best. */
  kept: Named<number>;
  learningRateFactor: number;
  /** Why the run is about to stop. */
  stop?: string;
  /** False where only an interruption asked for this checkpoint: an uninterrupted run does not have it. */
  planned: boolean;
  /** True at the last step of the run: its evaluation comes behind this. */
  last?: boolean;
}>;

/** Runs the loop; what happens comes out as events. Stops between steps when the signal is aborted. */
export async function* trainLoop(options: LoopOptions): AsyncIterable<TrainingEvent> {
  const { engine, training, optimizer, schedule, callbacks, steps, signal } = options;
  const evalEvery = training.evalStrategy === "steps"
    ? toSteps(training.evalSteps ?? training.loggingSteps, steps.total)
    : undefined;
  const saveEvery = training.saveStrategy === "steps" ? toSteps(training.saveSteps, steps.total) : undefined;
  const { resume } = options;
  let { step, skipped, inARow, learningRateFactor } = resume ??
    { step: 0, skipped: 0, inARow: 0, learningRateFactor: 1 };
  let { best, kept, stop }: Pick<LoopState, "best" | "kept" | "stop"> = resume ?? { best: {}, kept: {} };
  const judges = options.judges ?? [];
  const keep = (task: string): void => {
    options.keepBest?.(task);
    kept = { ...kept, [task]: step };
  };
  let states: unknown[] = callbacks.map((callback, i) => resume?.callbacks[i] ?? callback.init());
  let asked: TrainerControl = {};
  let saved = resume?.step ?? -1;
  const epochAt = (step: number): number => step / steps.perEpoch;
  const told = (event: TrainingEvent): TrainingEvent => {
    states = callbacks.map((callback, i) => {
      const { state, ask } = callback.on(states[i], event, training);
      if (ask) asked = { ...asked, ...ask };
      return state;
    });
    return event;
  };
  const save = async (planned: boolean): Promise<TrainingEvent | undefined> => {
    if (!options.save || saved === step) return undefined;
    const state = {
      step,
      skipped,
      inARow,
      callbacks: states,
      best,
      kept,
      learningRateFactor,
      last: step === steps.total,
    };
    const name = await options.save({ ...state, stop: stop ?? asked.stop, planned });
    saved = step;
    return told({ type: "checkpoint", step, epoch: epochAt(step), name });
  };
  const interrupted = async function* (): AsyncIterable<TrainingEvent> {
    const event = await save(false);
    if (event) yield event;
    yield told({ type: "end", step, epoch: epochAt(step), reason: "interrupted", metrics: {} });
  };
  const evaluate = async (which: "now" | "final" | "best"): Promise<TrainingEvent | undefined> => {
    if (!options.evaluate) return undefined;
    const metrics = await options.evaluate(which);
    const better = judges.filter(({ task, name, greaterIsBetter }) => {
      if (which === "best") return false;
      const [value, known] = [metrics[name], best[task]?.value];
      if (value === undefined || Number.isNaN(value)) return false;
      return known === undefined || (greaterIsBetter ? value > known : value < known);
    });
    for (const { task, name } of better) {
      best = { ...best, [task]: { step, value: metrics[name] ?? NaN } };
      if (training.loadBestModelAtEnd) keep(task);
    }
    return told({ type: "evaluate", step, epoch: epochAt(step), metrics, best: better.length > 0 });
  };

  const start: TrainingEvent = {
    type: "start",
    step,
    epoch: epochAt(step),
    totalSteps: steps.total,
    totalEpochs: steps.epochs,
    trainableParameters: engine.trainableParameters,
    totalParameters: engine.totalParameters,
    trainRows: options.rows.train,
    evalRows: options.rows.eval,
    ...(options.peak === undefined ? {} : { peakMultiplyAddsPerSecond: options.peak }),
  };
  // To callbacks and in what follows a resumed run is the one that was cut off.
  yield resume ? start : told(start);
  if (resume?.planned) {
    yield told({ type: "checkpoint", step, epoch: epochAt(step), name: options.resumed ?? "" });
    stop ??= asked.stop;
    asked = {};
  }
  const due = (every: number | undefined): boolean => every !== undefined && step % every === 0;
  const ended = (): boolean => step % steps.perEpoch === 0;
  const measured = (): boolean =>
    epochAt(step) >= training.evalDelay &&
    (asked.evaluate === true || due(evalEvery) || (ended() && training.evalStrategy === "epoch"));
  // Of a run that is longer now than it was, what was the last step then is one like others.
  if (resume?.last && step < steps.total && measured()) {
    const event = await evaluate("now");
    if (event) yield event;
  }
  if (training.evalOnStart && step === 0) {
    const event = await evaluate("now");
    if (event) yield event;
  }
  while (step < steps.total && stop === undefined) {
    if (signal?.aborted) return yield* interrupted();
    const batches = options.batchesOf(Math.floor(step / steps.perEpoch), step % steps.perEpoch);
    const factor = schedule.factor(step, steps.total, training.learningRate) * learningRateFactor;
    const scheduled = training.learningRate * factor;
    const learningRate = optimizer.learningRate?.(step + 1, scheduled) ?? scheduled;
    if (!Number.isFinite(learningRate) || !Number.isFinite(factor)) {
      const event = await save(false);
      if (event) yield event;
      throw noRate(options, { step: step + 1, factor, learningRate, learningRateFactor });
    }
    step++;
    const result = await engine.step(batches, {
      step: step - skipped,
      totalSteps: steps.total,
      learningRate,
      factor,
      maxGradNorm: training.maxGradNorm,
    });
    if (result.skipped) skipped++;
    inARow = result.skipped ? inARow + 1 : 0;
    yield told({
      type: "step",
      step,
      epoch: epochAt(step),
      ...result,
      learningRate,
      tokens: batches.reduce((n, b) => n + b.tokens, 0),
      samples: batches.reduce((n, b) => n + b.samples, 0),
    });
    if (result.skipped) {
      yield told({
        type: "warning",
        step,
        epoch: epochAt(step),
        code: "NON_FINITE",
        message: `Step ${step} was skipped: its gradient norm is ${result.gradNorm} (loss ${result.loss})`,
      });
      if (inARow >= MAX_SKIPPED) {
        const message =
          `Training diverged: ${inARow} steps in a row had a gradient norm that is not finite, the last one step ${step}. ` +
          `A lower learning rate than ${training.learningRate} may help`;
        yield told({ type: "end", step, epoch: epochAt(step), reason: "diverged", metrics: {}, message });
        return;
      }
    }
    if (step < steps.total && measured()) {
      asked = { ...asked, evaluate: false };
      const event = await evaluate("now");
      if (event) yield event;
    }
    if (asked.keep) {
      for (const { task } of judges) keep(task);
    }
    if (asked.learningRateFactor !== undefined) learningRateFactor = asked.learningRateFactor;
    if (
      asked.save || due(saveEvery) || (ended() && training.saveStrategy === "epoch") ||
      (training.saveStrategy === "best" && Object.values(best).some((b) => b.step === step))
    ) {
      const event = await save(true);
      if (event) yield event;
    }
    stop = asked.stop;
    asked = {};
  }
  if (signal?.aborted) return yield* interrupted();
  const final = await evaluate("final");
  if (final) yield final;
  let metrics = final?.type === "evaluate" ? final.metrics : {};
  // An evaluation behind the last step may be the best.
  if (training.saveStrategy === "best" && Object.values(best).some((b) => b.step === step)) {
    const event = await save(true);
    if (event) yield event;
  }
  if (Object.values(kept).some((at) => at !== step)) {
    const again = await evaluate("best");
    if (again?.type === "evaluate") {
      metrics = again.metrics;
      yield again;
    }
  }
  yield told({
    type: "end",
    step,
    epoch: epochAt(step),
    reason: stop === undefined ? "done" : "stopped",
    metrics,
    ...(stop === undefined ? {} : { message: stop }),
  });
}

/** A number of steps; below 1 a ratio of all of them. */
function toSteps(value: number, total: number): number {
  return value < 1 ? Math.max(1, Math.ceil(value * total)) : Math.floor(value);
}

/** The error of a rate that is no number, with whose it is. */
function noRate(
  { schedule, optimizer, training }: LoopOptions,
  { step, factor, learningRate, learningRateFactor }: Named<number>,
): AttuneError {
  const [kind, name, found] = !Number.isFinite(learningRateFactor)
    ? ["callback", "learningRateFactor", learningRateFactor]
    : Number.isFinite(factor)
    ? ["optimizer", optimizer.name, learningRate]
    : ["schedule", schedule.name, factor];
  const why = `The ${kind} "${name}" gives ${found} for the rate of step ${step}, where a finite number is expected`;
  const hint = training.learningRate === 0 ? " (training.learningRate is 0)" : "";
  return new AttuneError(why + hint, { code: "BAD_VALUE", plugin: String(name), path: `${kind}`, found });
}
