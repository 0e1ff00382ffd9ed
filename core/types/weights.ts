/** The tensors of a checkpoint, and how they are read. */
import type { DType, Tensor } from "../base/types.ts";
import type { EncodedWeight, WeightFormat } from "./storage.ts";

/** The tensors of a checkpoint. */
export interface Weights {
  readonly names: readonly string[];
  /** The name that messages use for it. */
  readonly label?: string;
  /** Decoded to float32; throws where there is no such name. */
  read(name: string): Promise<Tensor<Float32Array>>;
  /** As it is stored, where that is integers with a scale per row. */
  quantized?(name: string): Promise<QuantizedTensor | undefined>;
  /** As it is stored, where a linear layer's weight is codes of another kind; sessions keep it so, and `read` decodes it. */
  encoded?(name: string): Promise<EncodedWeight | undefined>;
  /** What `encoded` gives weights of a name as; undefined: it gives none. */
  formatOf?(name: string): WeightFormat | undefined;
  /** Where the bytes lie; `file` is a checked real path where the host can map files, else undefined. */
  locate(name: string): WeightLocation | undefined;
  /** Some of a tensor's bytes as they are stored; undefined if they are not the tensor's values alone. */
  part?(name: string): ((from: number, length: number) => Promise<Uint8Array>) | undefined;
}

/** x[r] = scale[r] · values[r]. */
export type QuantizedTensor = Readonly<{ values: Tensor<Int8Array>; scale: Tensor<Float32Array> }>;

/** Where a tensor's bytes lie. */
export type WeightLocation = Readonly<{
  file: string | undefined;
  offset: number;
  bytes: number;
  dtype: DType;
  dims: readonly number[];
}>;
