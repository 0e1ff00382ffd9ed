/** How parameters are stored in or beside an ONNX model. */
import { badValue } from "../../base/errors.ts";
import type { Shape } from "../../graph/ops/dims.ts";
import type { OnnxTensor } from "../../onnx/model.ts";
import { bytesPerElement, type DType, type Tensor } from "../../base/tensor.ts";
import type { LinearWeight, Named, WeightFormat } from "../../types.ts";

/** How a parameter reaches the session. */
export type Storage =
  /** `rows`: only so many rows of it, renumbered. */
  | Readonly<{ as: "feed"; rows?: number | undefined }>
  | Readonly<{ as: "inline"; tensor: Tensor }>
  /** `dtype`: floats of 16 bits, which become float32 where they are read, for each that reads them. */
  | Readonly<{ as: "external"; location: string; offset: number; length: number; dtype?: "float16" | "bfloat16" }>
  /** Integers with a scale per row, which are decoded where they are read: what is looked up, row by row. */
  | Readonly<{ as: "int8"; location: string; scale: Tensor }>
  /** Codes of a linear layer's weight, which are multiplied as they are or decoded where they are read. */
  | Readonly<{ as: "encoded"; weight: LinearWeight; format: WeightFormat; tensors: Named<StoredTensor> }>;

/** A tensor of an encoded weight: its values in the model, beside it, or fed in each run where neither is there. */
export type StoredTensor = Readonly<{
  dtype: DType;
  dims: readonly number[];
  data?: Tensor["data"];
  location?: string;
}>;

/** The tensors of a model that hold integers and their scales. */
export function quantizedInitializers(
  name: string,
  shape: Shape,
  { location, scale }: Extract<Storage, { as: "int8" }>,
): readonly OnnxTensor[] {
  const dims = fixedDims(name, shape);
  const length = dims.reduce((a, b) => a * b, 1);
  return [
    { name: `${name}.int8`, dtype: "int8", dims, external: { location, offset: 0, length } },
    { name: `${name}.scale`, dtype: scale.dtype, dims: scale.dims, data: bytesOf(scale.data) },
  ];
}

/** The tensor of a model that holds floats. */
export function floatInitializer(
  name: string,
  dtype: DType,
  shape: Shape,
  storage: Extract<Storage, { as: "inline" | "external" }>,
): OnnxTensor {
  const dims = fixedDims(name, shape);
  if (storage.as === "inline") return { name, dtype: storage.tensor.dtype, dims, data: bytesOf(storage.tensor.data) };
  const bytes = dims.reduce((a, b) => a * b, bytesPerElement[dtype]);
  if (storage.length !== bytes) throw badValue("engine", name, storage.length, `${bytes} bytes for dims [${dims}]`);
  const { location, offset, length } = storage;
  return { name, dtype, dims, external: { location, offset, length } };
}

/** What a tensor of an encoded weight is called. */
export function encodedName(name: string, tensor: string): string {
  return `${name}/${tensor}`;
}

/** What a tensor is called as it is stored, where that is not as it is read. */
export function storedName(name: string): string {
  return `${name}.stored`;
}

function fixedDims(name: string, shape: Shape): number[] {
  return shape.map((dim) => {
    if (typeof dim !== "number") throw badValue("engine", name, shape, "a fixed shape");
    return dim;
  });
}

/** The bytes of an array, not copied. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
