/** State of a run's training loop, its form in checkpoints, and its changes. */
import type {
  Callback,
  Drift,
  LossScaleOptions,
  Named,
  TrainerControl,
  TrainingArguments,
  TrainingEvent,
} from "../types.ts";
import type { StepResult } from "../engine/step.ts";
import { createLossScale, type LossScale, updateLossScale } from "./loss_scale.ts";

/** The loop's part of a checkpoint: everything that the next step depends on, except what follows from its number. */
export type LoopState = Readonly<{
  step: number;
  skipped: number;
  /** Number of consecutive skipped steps. */
  inARow: number;
  /** State of the loss scale, if losses are scaled. */
  lossScale?: LossScale;
  callbacks: readonly unknown[];
  /** Best evaluation of each task. */
  best: Named<Readonly<{ step: number; value: number }>>;
  /** The step whose weights are kept as each task's best. */
  kept: Named<number>;
  learningRateFactor: number;
  /** Drift from quantizing the base, measured before the first step. */
  drift?: Drift | undefined;
  /** Reason why the run is about to stop. */
  stop?: string;
  /** False if the checkpoint was only written because of an interruption. */
  planned: boolean;
  /** True at the last step of the run, whose evaluation follows this checkpoint. */
  last?: boolean;
}>;

/** The state of a running loop. `control`: requests of callbacks since the last step. */
export type RunningState = {
  step: number;
  skipped: number;
  inARow: number;
  lossScale: LossScale | undefined;
  callbacks: readonly unknown[];
  best: LoopState["best"];
  kept: LoopState["kept"];
  learningRateFactor: number;
  stop: string | undefined;
  control: TrainerControl;
  /** The step of the last checkpoint; -1 if there is none. */
  saved: number;
};

/** The metric that selects a task's best checkpoint. */
export type Judge = Readonly<{ task: string; name: string; greaterIsBetter: boolean }>;

/** Creates the state before the first step, or that of a resumed run. */
export function createLoopState(
  callbacks: readonly Callback[],
  resume: LoopState | undefined,
  scaling: LossScaleOptions | undefined,
): RunningState {
  const { step = 0, skipped = 0, inARow = 0, learningRateFactor = 1, best = {}, kept = {}, stop } =
    (resume ?? {}) as Partial<LoopState>;
  return {
    step,
    skipped,
    inARow,
    lossScale: scaling && (resume?.lossScale ?? createLossScale(scaling)),
    callbacks: callbacks.map((callback, i) => resume?.callbacks[i] ?? callback.init()),
    best,
    kept,
    learningRateFactor,
    stop,
    control: {},
    saved: resume?.step ?? -1,
  };
}

/** Returns the part of the state that a checkpoint keeps. */
export function checkpointOf(state: RunningState, planned: boolean, last: boolean): LoopState {
  const { step, skipped, inARow, lossScale, callbacks, best, kept, learningRateFactor, stop, control } = state;
  return {
    step,
    skipped,
    inARow,
    ...(lossScale ? { lossScale } : {}),
    callbacks,
    best,
    kept,
    learningRateFactor,
    last,
    stop: stop ?? control.stop,
    planned,
  };
}

/** Passes an event to callbacks, and records their requests. */
export function notify(
  state: RunningState,
  callbacks: readonly Callback[],
  training: TrainingArguments,
  event: TrainingEvent,
): void {
  state.callbacks = callbacks.map((callback, i) => {
    const { state: next, ask } = callback.on(state.callbacks[i], event, training);
    if (ask) state.control = { ...state.control, ...ask };
    return next;
  });
}

/** Counts a step. A step that overflowed only because of the loss scale does not count towards divergence. */
export function countStep(
  state: RunningState,
  { skipped, overflowed }: Pick<StepResult, "skipped" | "overflowed">,
  scaling: LossScaleOptions | undefined,
): void {
  if (skipped) state.skipped++;
  if (!overflowed) state.inARow = skipped ? state.inARow + 1 : 0;
  if (scaling && state.lossScale && skipped === overflowed) {
    state.lossScale = updateLossScale(state.lossScale, scaling, overflowed);
  }
}

/** Returns the number of steps that optimizer and schedule have made; with loss scaling, skipped steps do not count. */
export function stepsOfSchedule({ step, lossScale }: RunningState): number {
  return lossScale?.goodSteps ?? step;
}

/** Returns the tasks whose metrics are the best so far, and records these as best. */
export function judge(state: RunningState, judges: readonly Judge[], metrics: Named<number>): readonly string[] {
  const better = judges.filter(({ task, name, greaterIsBetter }) => {
    const [value, before] = [metrics[name], state.best[task]?.value];
    if (value === undefined || !Number.isFinite(value)) return false;
    return before === undefined || (greaterIsBetter ? value > before : value < before);
  });
  for (const { task, name } of better) {
    state.best = { ...state.best, [task]: { step: state.step, value: metrics[name] ?? NaN } };
  }
  return better.map(({ task }) => task);
}

/** Whether the evaluation at this step is the best of a task. */
export function isBest({ step, best }: RunningState): boolean {
  return Object.values(best).some((b) => b.step === step);
}
