/** Storage of parameters in or beside an ONNX model. */
import { badValue } from "../../base/errors.ts";
import type { Shape } from "../../graph/ops/dims.ts";
import type { OnnxTensor } from "../../onnx/model.ts";
import { bytesPerElement, type DType, type Tensor } from "../../base/tensor.ts";
import type { LinearWeight, Named, WeightFormat } from "../../types.ts";

/** How a parameter reaches the session. */
export type Storage =
  /** Fed in each run; `rows`: the number of rows of a shortened table. */
  | Readonly<{ as: "feed"; rows?: number | undefined }>
  | Readonly<{ as: "inline"; tensor: Tensor }>
  /** In a file or beside the model; `dtype`: 16-bit floats, which are converted to float32 for their readers. */
  | Readonly<{ as: "external"; location: string; offset: number; length: number; dtype?: "float16" | "bfloat16" }>
  /** Integers with a scale per row, which are decoded for their readers; for lookups, only the rows looked up. */
  | Readonly<{ as: "int8"; location: string; scale: Tensor }>
  /** An encoded weight of a linear layer, which is multiplied by its format's product or decoded for its readers. */
  | Readonly<{ as: "encoded"; weight: LinearWeight; format: WeightFormat; tensors: Named<StoredTensor> }>;

/** A tensor of an encoded weight: with its values in the model, beside it, or, if it has neither, fed in each run. */
export type StoredTensor = Readonly<{
  dtype: DType;
  dims: readonly number[];
  data?: Tensor["data"];
  location?: string;
}>;

/** Creates a model's tensors for integers and their scales. */
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

/** Creates a model's tensor for floats. */
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

/** Returns the name of a tensor of an encoded weight. */
export function encodedName(name: string, tensor: string): string {
  return `${name}/${tensor}`;
}

/** Returns the name of a tensor in its stored form, if this differs from the form that is read. */
export function storedName(name: string): string {
  return `${name}.stored`;
}

function fixedDims(name: string, shape: Shape): number[] {
  return shape.map((dim) => {
    if (typeof dim !== "number") throw badValue("engine", name, shape, "a fixed shape");
    return dim;
  });
}

/** Returns the bytes of an array without copying them. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
