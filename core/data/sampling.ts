/**
 * The order of the rows of an epoch: a function of the random stream alone, so that resuming needs no saved state.
 */
import { permutation, type Random, seekablePermutation } from "../math/random.ts";
import type { TrainingArguments } from "../types.ts";

/** The most batches that group_by_length sorts together. */
const MEGABATCH = 50;

/**
 * Returns the rows of one epoch in order: `random` is a permutation, `sequential` is 0, 1, 2, ...; `group_by_length` is
 * Hugging Face's LengthGroupedSampler: a permutation cut into megabatches of 50 batches (fewer if rows are few), each
 * sorted by length, longest first, with the longest row of all moved to the front, so lack of memory shows at once.
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
export function epochOrder(options: OrderOptions): Int32Array {
  const { count, strategy, random } = options;
  if (strategy === "sequential") return Int32Array.from({ length: count }, (_, i) => i);
  const order = permutation(random, count);
  if (strategy === "random" || count === 0) return order;
  const { lengths = none } = options;
  const size = megabatchSize(options);
  const at = (place: number): number => order[place] ?? 0;
  let longest = 0;
  for (let start = 0; start < count; start += size) {
    // Sorting is stable: rows of equal length keep their random order.
    order.subarray(start, start + size).sort((a, b) => lengths(b) - lengths(a));
    if (lengths(at(start)) > lengths(at(longest))) longest = start;
  }
  [order[0], order[longest]] = [at(longest), at(0)];
  return order;
}

/** Options of an order. `lengths` is needed only for group_by_length; `batchSize`: the rows of one optimizer step. */
export type OrderOptions = Readonly<{
  count: number;
  strategy: TrainingArguments["trainSamplingStrategy"];
  batchSize: number;
  random: Random;
  lengths?: (index: number) => number;
}>;

/** Returns the rows of an epoch from one place (inclusive) to another (exclusive) in its order. */
export type EpochOrder = (from: number, to: number) => Int32Array;

/** The most rows for which the order is a table: with more, each epoch and each resumed run would wait for it. */
const LARGE = 2 ** 17;

/**
 * Returns access to the order of one epoch. Up to 131,072 rows it is that of `epochOrder`. For more rows it is another
 * order, computed without a table by a keyed permutation, so that any place is available at once.
 */
export function orderOfEpoch(options: OrderOptions, large: number = LARGE): EpochOrder {
  const { count, strategy, random } = options;
  const some = (at: (place: number) => number): EpochOrder => (from, to) =>
    Int32Array.from({ length: Math.max(0, Math.min(to, count) - from) }, (_, i) => at(from + i));
  if (strategy === "sequential") return some((place) => place);
  if (count <= large) {
    const order = epochOrder(options);
    return (from, to) => order.subarray(from, to);
  }
  const permutation = seekablePermutation(random, count);
  return some(strategy === "random" ? permutation : groupedByLength(options, permutation));
}

/** Groups rows by length as `epochOrder` does, one megabatch at a time. */
function groupedByLength(options: OrderOptions, permutation: (place: number) => number): (place: number) => number {
  const { count, lengths = none } = options;
  const size = megabatchSize(options);
  const sorted = (start: number): Int32Array =>
    Int32Array.from({ length: Math.min(size, count - start) }, (_, i) => permutation(start + i))
      .sort((a, b) => lengths(b) - lengths(a));
  let [most, longest] = [0, 0];
  for (let row = 0; row < count; row++) most = Math.max(most, lengths(row));
  while (lengths(permutation(longest)) < most) longest++;
  // The longest row of all is the first of its megabatch, and swaps places with the very first row.
  const other = longest - longest % size;
  const [last, first] = [sorted(other)[0] ?? 0, sorted(0)[0] ?? 0];
  let known: Readonly<{ start: number; rows: Int32Array }> | undefined;
  return (place) => {
    if (place === 0) return last;
    if (place === other) return first;
    const start = place - place % size;
    if (known?.start !== start) known = { start, rows: sorted(start) };
    return known.rows[place - start] ?? 0;
  };
}

const none = (): number => 0;

function megabatchSize({ count, batchSize }: OrderOptions): number {
  return batchSize * Math.max(1, Math.min(MEGABATCH, Math.floor(count / (batchSize * 4))));
}
