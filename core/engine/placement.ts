/** Where a session takes its frozen weights from: mapped files, or memory. */
import { bytesPerElement, type DType, sizeOf } from "../base/tensor.ts";
import type { Checkpoint, Host, WeightLocation } from "../types.ts";
import type { Parameter } from "./builder/parameters.ts";
import type { InitialWeights } from "./weights.ts";

/** Where frozen weights are taken from. */
export type Placement = Readonly<{
  /** The place in a file from which a weight is mapped; undefined if it is read into memory. */
  mappedAt(parameter: Parameter): (WeightLocation & Readonly<{ file: string }>) | undefined;
  /** Whether what is read into memory stands beside the model rather than in it. */
  besides: boolean;
  /** Bytes that what is read into memory takes beside the session's own values of it, until that is open; 0 without files. */
  copiedBytes: number;
}>;

/** What is placed. `isFed`: what trains, which the session is fed; `decoded`: 16 bits become float32 in memory. */
export type PlacementOptions = Readonly<{
  parameters: Iterable<Parameter>;
  isFed: (name: string) => boolean;
  initial: Pick<InitialWeights, "nameInCheckpoint" | "storageOf">;
  checkpoint: Pick<Checkpoint, "weights">;
  provider: Host["provider"];
  decoded?: boolean | undefined;
}>;

/** A model file holds so many bytes of weights at most; the format ends at 2 GiB. */
const MODEL_BYTES = 2 ** 30;

/** Where more bytes than this are in no file, and more than are in files, they stand beside the model: one copy less. */
const BESIDE = 2 ** 26;

/** Weights of 16 bits that would take more bytes than this as float32 stay as they are stored, mapped. */
const DECODED = 2 ** 26;

/** Copies of what stands in the model itself: as it is read, and in the model's bytes. */
const COPIES = 2;

/** Copies of gradients of fewer bytes than this are not worth a line in a plan. */
const COPIED_GRADIENTS = 2 ** 26;

/** Bytes of the copies of all gradients that the native runtime hands out behind a run, beside those that it writes in place. */
export function gradientCopies(trainedBytes: number, provider: Host["provider"]): number {
  return provider === "cpu" && trainedBytes > COPIED_GRADIENTS ? trainedBytes : 0;
}

/** A type of 16 bits. */
export type Half = "float16" | "bfloat16";

/** Whether a type has 16 bits. */
export function isHalf(dtype: DType | undefined): dtype is Half {
  return dtype === "float16" || dtype === "bfloat16";
}

/** Decides it for a session's parameters. */
export function placeWeights(options: PlacementOptions): Placement {
  const { initial, checkpoint, provider } = options;
  // Codes are neither mapped nor part of the model.
  const frozen = [...options.parameters].filter((p) => !options.isFed(p.name) && !initial.storageOf(p));
  const located = (p: Parameter): WeightLocation | undefined => {
    const name = options.isFed(p.name) ? undefined : initial.nameInCheckpoint(p);
    return name === undefined ? undefined : checkpoint.weights.locate(name);
  };
  const bytesOf = (all: readonly Parameter[]): number => all.reduce((bytes, p) => bytes + 4 * sizeOf(p.shape), 0);
  const keepsHalves = options.decoded !== true && bytesOf(frozen.filter((p) => isHalf(located(p)?.dtype))) > DECODED;
  const mappedAt: Placement["mappedAt"] = (p) => {
    const at = located(p);
    const dtype = at?.dtype === "float32" || (keepsHalves && isHalf(at?.dtype)) ? at?.dtype : undefined;
    const { file, offset = 0 } = at ?? {};
    const fits = at && file !== undefined && dtype && offset % bytesPerElement[dtype] === 0 && provider === "cpu";
    return fits ? { ...at, file } : undefined;
  };
  const inFiles = frozen.reduce((bytes, p) => bytes + (mappedAt(p)?.bytes ?? 0), 0);
  const inMemory = bytesOf(frozen.filter((p) => !mappedAt(p)));
  // ONNX Runtime takes tensors from files or from memory, never both in one model.
  const besides = provider !== "cpu" || inMemory > MODEL_BYTES || (inMemory > BESIDE && inMemory > inFiles);
  const copiedBytes = provider !== "cpu" ? 0 : besides ? bytesOf(frozen) : COPIES * inMemory;
  return { mappedAt, besides, copiedBytes };
}
