/** Placement of a session's frozen weights: in mapped files or in memory. */
import { bytesPerElement, type DType, sizeOf } from "../base/tensor.ts";
import type { Checkpoint, Host, WeightLocation } from "../types.ts";
import type { Parameter } from "./builder/parameters.ts";
import type { InitialWeights } from "./weights.ts";

/** The placement of frozen weights. */
export type Placement = Readonly<{
  /** Returns the location in a file that a weight is mapped from; undefined if it is read into memory. */
  mappedAt(parameter: Parameter): (WeightLocation & Readonly<{ file: string }>) | undefined;
  /** Whether weights in memory are passed beside the model rather than within its bytes. */
  besides: boolean;
  /** Extra bytes that weights in memory take until the session is open, on top of its own copy; 0 without files. */
  copiedBytes: number;
}>;

/** What to place. `isFed`: trained parameters are fed; `decoded`: 16-bit weights become float32 in memory. */
export type PlacementOptions = Readonly<{
  parameters: Iterable<Parameter>;
  isFed: (name: string) => boolean;
  initial: Pick<InitialWeights, "nameInCheckpoint" | "storageOf">;
  checkpoint: Pick<Checkpoint, "weights">;
  provider: Host["provider"];
  decoded?: boolean | undefined;
}>;

/** The most bytes of weights within a model; the format's limit is 2 GiB. */
const MODEL_BYTES = 2 ** 30;

/** If more bytes than this are in memory, and more than in files, they are passed beside the model: one copy less. */
const BESIDE = 2 ** 26;

/** 16-bit weights that would take more bytes than this as float32 stay 16-bit and mapped. */
const DECODED = 2 ** 26;

/** Copies of weights within the model: as they are read, and in the model's bytes. */
const COPIES = 2;

/** Copies of gradients with fewer bytes than this are not listed in a plan. */
const COPIED_GRADIENTS = 2 ** 26;

/** Returns the bytes of the gradient copies that the native runtime makes besides the gradients written in place. */
export function gradientCopies(trainedBytes: number, provider: Host["provider"]): number {
  return provider === "cpu" && trainedBytes > COPIED_GRADIENTS ? trainedBytes : 0;
}

/** A 16-bit float dtype. */
export type Half = "float16" | "bfloat16";

/** Whether a dtype is a 16-bit float. */
export function isHalf(dtype: DType | undefined): dtype is Half {
  return dtype === "float16" || dtype === "bfloat16";
}

/** Decides the placement of a session's parameters. */
export function placeWeights(options: PlacementOptions): Placement {
  const { initial, checkpoint, provider } = options;
  // Encoded weights are neither mapped nor part of the model.
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
  // ONNX Runtime takes a model's external tensors either from files or from memory, never from both.
  const besides = provider !== "cpu" || inMemory > MODEL_BYTES || (inMemory > BESIDE && inMemory > inFiles);
  const copiedBytes = provider !== "cpu" ? 0 : besides ? bytesOf(frozen) : COPIES * inMemory;
  return { mappedAt, besides, copiedBytes };
}
