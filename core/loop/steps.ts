/** How long a run is: batches, steps and epochs. */
import type { TrainingArguments } from "../types.ts";

/** How many batches an epoch has. */
export function batchesPerEpoch(count: number, batchSize: number, dropLast: boolean): number {
  return Math.max(1, dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize));
}

/** How many steps a run has, and each epoch. A step never reaches over the end of an epoch. */
export function countSteps(
  batches: number,
  training: TrainingArguments,
): Readonly<{ perEpoch: number; total: number; epochs: number }> {
  const perEpoch = Math.max(1, Math.ceil(batches / training.gradientAccumulationSteps));
  const total = training.maxSteps > 0 ? training.maxSteps : Math.max(1, Math.ceil(training.numTrainEpochs * perEpoch));
  return { perEpoch, total, epochs: Math.ceil(total / perEpoch) };
}
