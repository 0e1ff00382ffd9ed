/** Pruning by a percentile of the values that complete trials reported at the same step. */
import * as v from "valibot";
import { quantileOf } from "../../core/statistics/intervals.ts";
import type { Study, Trial } from "../../core/types.ts";

/** Options of pruners that compare a trial with others at the same step. */
export interface PrunerOptions {
  /** How many complete trials there must be before any is pruned. */
  readonly startupTrials: number;
  /** Steps before a trial may be pruned. */
  readonly warmupSteps: number;
  /** Steps between two checks of a trial. */
  readonly intervalSteps: number;
  /** How many complete trials must have reported at a step before one is pruned there. */
  readonly minTrials: number;
}

/** Returns a schema of integers from `least` on. */
export function wholeFrom(least: number): v.GenericSchema<number> {
  return v.pipe(v.number(), v.integer(), v.minValue(least));
}

/** Schema entries of {@link PrunerOptions}. */
export const percentileOptions: Readonly<{
  startupTrials: v.GenericSchema<number | undefined, number>;
  warmupSteps: v.GenericSchema<number | undefined, number>;
  intervalSteps: v.GenericSchema<number | undefined, number>;
  minTrials: v.GenericSchema<number | undefined, number>;
}> = {
  startupTrials: v.optional(wholeFrom(0), 5),
  warmupSteps: v.optional(wholeFrom(0), 0),
  intervalSteps: v.optional(wholeFrom(1), 1),
  minTrials: v.optional(wholeFrom(1), 1),
};

/** Whether a trial's best value so far is worse than a percentile of complete trials' values at its last step. */
export function isBelowPercentile(
  trial: Trial,
  { trials, direction }: Study,
  percentile: number,
  { startupTrials, warmupSteps, intervalSteps, minTrials }: PrunerOptions,
): boolean {
  const complete = trials.filter(({ state }) => state === "complete");
  const step = trial.values.at(-1)?.[0];
  if (complete.length === 0 || complete.length < startupTrials || step === undefined || step < warmupSteps) {
    return false;
  }
  const before = Math.max(-1, ...trial.values.flatMap(([at]) => (at === step ? [] : [at])));
  const from = Math.floor((step - warmupSteps) / intervalSteps) * intervalSteps + warmupSteps;
  // Only one check per interval: at the first report in it.
  if (before >= from) return false;
  const sign = direction === "maximize" ? -1 : 1;
  const reported = numbersOf(trial.values.map(([, value]) => value));
  if (reported.length === 0) return true;
  const best = Math.min(...reported.map((value) => sign * value));
  const others = complete.flatMap(({ values }) => values.filter(([at]) => at === step).map(([, value]) => value));
  if (others.length < minTrials) return false;
  const losses = numbersOf(others).map((value) => sign * value).sort((a, b) => a - b);
  return losses.length > 0 && best > quantileOf(losses, percentile / 100);
}

const numbersOf = (values: readonly (number | null)[]): number[] =>
  values.filter((value) => value !== null && !Number.isNaN(value)) as number[];
