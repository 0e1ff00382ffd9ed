/**
 * In which order rows are taken: seekable, so that a resumed run continues with the very next batch.
 * @module
 */
import { permutation, type Random } from "../random.ts";
import type { TrainingArguments } from "../types.ts";

/** Batches that group_by_length sorts together, as Hugging Face's LengthGroupedSampler. */
const MEGABATCH = 50;

/** The rows of one epoch, in order. `lengths` are needed for group_by_length. */
export function epochOrder(
  options: Readonly<{
    count: number;
    strategy: TrainingArguments["trainSamplingStrategy"];
    batchSize: number;
    random: Random;
    lengths: (index: number) => number;
  }>,
): Int32Array {
  const { count, strategy, batchSize, random, lengths } = options;
  if (strategy === "sequential") return Int32Array.from({ length: count }, (_, i) => i);
  const order = permutation(random, count);
  if (strategy === "random") return order;
  const size = Math.min(MEGABATCH * batchSize, Math.max(batchSize, Math.ceil(count / 4)));
  for (let start = 0; start < count; start += size) {
    order.subarray(start, start + size).sort((a, b) => lengths(b) - lengths(a) || a - b);
  }
  // The longest batch comes first, so that a run that does not fit fails at once.
  let longest = 0;
  for (let start = 0; start < count; start += size) {
    if (lengths(order[start] ?? 0) > lengths(order[longest] ?? 0)) longest = start;
  }
  const head = order.slice(0, batchSize);
  if (longest + batchSize <= count) {
    order.set(order.slice(longest, longest + batchSize), 0);
    order.set(head, longest);
  }
  return order;
}

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
