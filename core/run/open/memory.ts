/** How much memory a run may take, and what of it is there for a step's values. */
import { byteCount } from "../../base/byte_count.ts";
import type { ActivationBudget } from "../../engine/recompute.ts";
import type { Host, TrainingArguments } from "../../types.ts";

/** What a step's values may take before some are computed again, where no one says, and the products that may be. */
const ACTIVATION_BYTES = 384 * 2 ** 20;
const MORE_WORK = 1 / 7;

/** Share of the memory of the machine that a run may take. */
const MEMORY_SHARE = 0.9;

/** Share of the memory that a run may take, for packed weights. */
const PACKED_SHARE = 0.25;

/** What a process takes before it has read anything, and for each node of a training graph, as measured on Node. */
const PROCESS_BYTES = 190e6;
const NODE_BYTES = 9e3;

/** The most that trained weights, gradients and the optimizer's state may take: one memory of WebAssembly. */
export const STATE_BYTES: number = 2 ** 32;

/** Bytes that a run may take: what it asks for, or the machine's. */
export function memoryLimit({ memory }: TrainingArguments, host: Host): number {
  return byteCount(memory) ?? MEMORY_SHARE * host.memoryBytes;
}

/** The largest size of weights that generation prepacks when nothing trains, which makes one more copy of them. */
export function packingRoom(training: TrainingArguments, host: Host): number {
  return PACKED_SHARE * memoryLimit(training, host);
}

/**
 * What a step's values may take, beside what else a run takes. Where no one says and the machine has room, products are
 * computed again only as far as that costs little time, and none if the run asks for products that save it.
 */
export function activationBudget(
  training: TrainingArguments,
  host: Host,
  elseBytes: number,
  savesTime: boolean,
): ActivationBudget {
  const room = memoryLimit(training, host) - elseBytes;
  const isFree = byteCount(training.memory) === undefined && room > ACTIVATION_BYTES;
  return isFree ? { bytes: ACTIVATION_BYTES, moreWork: savesTime ? 0 : MORE_WORK } : { bytes: room, moreWork: 1 };
}

/** Bytes of the process itself with a training session of so many nodes. */
export function processBytes(nodes: number): number {
  return Math.round(PROCESS_BYTES + NODE_BYTES * nodes);
}
