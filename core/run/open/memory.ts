/** How much memory a run may take, and how much of it is left for activations. */
import { byteCount } from "../../base/byte_count.ts";
import type { ActivationBudget } from "../../engine/recompute.ts";
import type { Host, TrainingArguments } from "../../types.ts";

/** Default size of activations above which some are recomputed, and the share of extra products that this may cost. */
const ACTIVATION_BYTES = 384 * 2 ** 20;
const MORE_WORK = 1 / 7;

/** Share of the machine's memory that a run may take. */
const MEMORY_SHARE = 0.9;

/** Share of a run's memory that packed weights may take. */
const PACKED_SHARE = 0.25;

/** Bytes of a process before it reads anything, and bytes for each node of a training graph, as measured on Node. */
const PROCESS_BYTES = 190e6;
const NODE_BYTES = 9e3;

/** The most bytes of trained weights, gradients and optimizer state together: they share one WebAssembly memory. */
export const STATE_BYTES: number = 2 ** 32;

/** Returns the bytes that a run may take: its `memory` argument, or a share of the machine's memory. */
export function memoryLimit({ memory }: TrainingArguments, host: Host): number {
  return byteCount(memory) ?? MEMORY_SHARE * host.memoryBytes;
}

/** Returns the bytes of weights up to which generation prepacks them without training, which makes a second copy. */
export function packingRoom(training: TrainingArguments, host: Host): number {
  return PACKED_SHARE * memoryLimit(training, host);
}

/**
 * Returns the memory for activations beside `otherBytes` of other memory. If the spec sets no limit and the machine has
 * room, products are recomputed only while that costs little time, and never if the run uses faster products.
 */
export function activationBudget(
  training: TrainingArguments,
  host: Host,
  otherBytes: number,
  savesTime: boolean,
): ActivationBudget {
  const room = memoryLimit(training, host) - otherBytes;
  const isFree = byteCount(training.memory) === undefined && room > ACTIVATION_BYTES;
  return isFree ? { bytes: ACTIVATION_BYTES, moreWork: savesTime ? 0 : MORE_WORK } : { bytes: room, moreWork: 1 };
}

/** Returns the bytes of the process itself with a training session of `nodes` nodes. */
export function processBytes(nodes: number): number {
  return Math.round(PROCESS_BYTES + NODE_BYTES * nodes);
}
