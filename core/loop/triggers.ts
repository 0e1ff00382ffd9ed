/** Decides when a run's loop evaluates and saves. */
import type { TrainingArguments } from "../types.ts";
import { isBest, type RunningState } from "./loop_state.ts";

/** Whether an evaluation or a checkpoint is due at a step, by the arguments or at a callback's request. */
export type Triggers = Readonly<{ evaluate(state: RunningState): boolean; save(state: RunningState): boolean }>;

/** Creates the triggers of a run of `total` steps. */
export function createTriggers(
  training: TrainingArguments,
  { perEpoch, total }: Readonly<{ perEpoch: number; total: number }>,
): Triggers {
  const evalEvery = training.evalStrategy === "steps"
    ? toSteps(training.evalSteps ?? training.loggingSteps, total)
    : undefined;
  const saveEvery = training.saveStrategy === "steps" ? toSteps(training.saveSteps, total) : undefined;
  const isDue = (step: number, every: number | undefined): boolean => every !== undefined && step % every === 0;
  const endsEpoch = (step: number): boolean => step % perEpoch === 0;
  return {
    evaluate: ({ step, control }) =>
      step / perEpoch >= training.evalDelay &&
      (control.evaluate === true || isDue(step, evalEvery) ||
        (endsEpoch(step) && training.evalStrategy === "epoch")),
    save: (state) =>
      state.control.save === true || isDue(state.step, saveEvery) ||
      (endsEpoch(state.step) && training.saveStrategy === "epoch") ||
      (training.saveStrategy === "best" && isBest(state)),
  };
}

/** Returns a number of steps; values below 1 are a ratio of all steps. */
function toSteps(value: number, total: number): number {
  return value < 1 ? Math.max(1, Math.ceil(value * total)) : Math.floor(value);
}
