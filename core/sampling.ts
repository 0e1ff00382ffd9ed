/**
 * In which order the rows of an epoch are taken: a function of the random stream alone, so that resuming needs no state.
 * @module
 */
import { permutation, type Random } from "./random.ts";
import type { TrainingArguments } from "./types.ts";

/** Batches that group_by_length sorts together at most. */
const MEGABATCH = 50;

/**
 * The rows of one epoch, in order: `random` is a permutation, `sequential` 0, 1, 2, ...; `group_by_length` is Hugging
 * Face's LengthGroupedSampler: a permutation cut into megabatches of 50 batches (fewer where there are few rows), each
 * sorted by length, longest first, and the longest row of all at the very front, so that what does not fit fails at once.
 *
 * `lengths` is needed for group_by_length alone; `batchSize` is the rows of one optimizer step.
 *
 * @example
 * ```ts
 * import { createRandom, epochOrder } from "attune";
 * const order = epochOrder({ count: 4, strategy: "random", batchSize: 2, random: createRandom(42) });
 * console.assert([...order].sort().join() === "0,1,2,3");
 * ```
 */
export function epochOrder(
  options: Readonly<{
    count: number;
    strategy: TrainingArguments["trainSamplingStrategy"];
    batchSize: number;
    random: Random;
    lengths?: (index: number) => number;
  }>,
): Int32Array {
  const { count, strategy, batchSize, random, lengths = () => 0 } = options;
  if (strategy === "sequential") return Int32Array.from({ length: count }, (_, i) => i);
  const order = permutation(random, count);
  if (strategy === "random" || count === 0) return order;
  const size = batchSize * Math.max(1, Math.min(MEGABATCH, Math.floor(count / (batchSize * 4))));
  const at = (place: number): number => order[place] ?? 0;
  let longest = 0;
  for (let start = 0; start < count; start += size) {
    // Sorting is stable: rows of one length keep their random order.
    order.subarray(start, start + size).sort((a, b) => lengths(b) - lengths(a));
    if (lengths(at(start)) > lengths(at(longest))) longest = start;
  }
  [order[0], order[longest]] = [at(longest), at(0)];
  return order;
}
