/** The length of a run in batches, steps and epochs. */
import type { TrainingArguments } from "../types.ts";

/** Returns the number of batches of an epoch. */
export function batchesPerEpoch(count: number, batchSize: number, dropLast: boolean): number {
  return Math.max(1, dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize));
}

/** Returns the number of steps of a run and of an epoch. A step never extends beyond the end of an epoch. */
export function countSteps(
  batches: number,
  training: TrainingArguments,
): Readonly<{ perEpoch: number; total: number; epochs: number }> {
  const perEpoch = Math.max(1, Math.ceil(batches / training.gradientAccumulationSteps));
  const total = training.maxSteps > 0 ? training.maxSteps : Math.max(1, Math.ceil(training.numTrainEpochs * perEpoch));
  return { perEpoch, total, epochs: Math.ceil(total / perEpoch) };
}
