/** Where a run's loop stands: what a checkpoint holds of it, and what changes it. */
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

/** What of the loop a checkpoint holds: all that the next step depends on and does not follow from its number. */
export type LoopState = Readonly<{
  step: number;
  skipped: number;
  /** Skipped steps in a row. */
  inARow: number;
  /** Where the scale of losses stands, where they are scaled. */
  lossScale?: LossScale;
  callbacks: readonly unknown[];
  /** Of each task. */
  best: Named<Readonly<{ step: number; value: number }>>;
  /** The step whose weights are kept as each task's best. */
  kept: Named<number>;
  learningRateFactor: number;
  /** What quantizing the base changed before step one. */
  drift?: Drift | undefined;
  /** Why the run is about to stop. */
  stop?: string;
  /** False where only an interruption asked for this checkpoint: an uninterrupted run does not have it. */
  planned: boolean;
  /** True at the last step of the run: its evaluation comes behind this. */
  last?: boolean;
}>;

/** The state of a loop that runs. `control`: what callbacks have asked for since the last step. */
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
  /** The step of the last checkpoint; -1: there is none. */
  saved: number;
};

/** How a task's best checkpoint is chosen. */
export type Judge = Readonly<{ task: string; name: string; greaterIsBetter: boolean }>;

/** The state at the first step, or where a run goes on. */
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

/** What a checkpoint keeps of it. */
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

/** Hands an event to callbacks, and keeps what they ask for. */
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

/** Counts a step. One that only a scaled loss made overflow says nothing against the run. */
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

/** How many steps optimizer and schedule have seen: where losses are scaled, skipped ones are none of theirs. */
export function stepsOfSchedule({ step, lossScale }: RunningState): number {
  return lossScale?.goodSteps ?? step;
}

/** The tasks whose metrics are the best so far; that is kept. */
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

/** Whether an evaluation at this step is the best of a task. */
export function isBest({ step, best }: RunningState): boolean {
  return Object.values(best).some((b) => b.step === step);
}
