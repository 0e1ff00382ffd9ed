/** The tensors of a checkpoint, and how they are read. */
import type { DType, Tensor } from "../base/types.ts";
import type { EncodedWeight, WeightFormat } from "./storage.ts";

/** The tensors of a checkpoint. */
export interface Weights {
  readonly names: readonly string[];
  /** Its name in messages. */
  readonly label?: string;
  /** Reads a tensor as float32. Throws for an unknown name. */
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Reads a tensor as stored, if it is stored as integers with a scale per row. */
  quantized?(name: string): Promise<QuantizedTensor | undefined>;
  /** Reads a linear layer's weight as stored, if it is encoded in another way; only `read` decodes it. */
  encoded?(name: string): Promise<EncodedWeight | undefined>;
  /** Returns the format of a name's encoded weight; undefined: it has none. */
  formatOf?(name: string): WeightFormat | undefined;
  /** Returns the location of the bytes; `file`: a checked real path if the host can map files, else undefined. */
  locate(name: string): WeightLocation | undefined;
  /** Returns a reader of a tensor's stored bytes; undefined if they are not simply the tensor's values. */
  part?(name: string): ((from: number, length: number) => Promise<Uint8Array>) | undefined;
}

/** x[r] = scale[r] · values[r]. */
export type QuantizedTensor = Readonly<{ values: Tensor<Int8Array>; scale: Tensor<Float32Array> }>;

/** The location of a tensor's bytes. */
export type WeightLocation = Readonly<{
  file: string | undefined;
  offset: number;
  bytes: number;
  dtype: DType;
  dims: readonly number[];
}>;
