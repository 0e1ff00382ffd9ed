/** Tensors: a dtype, dims and a typed array, without arithmetic. */
import type { DType, Tensor, TensorData } from "./types.ts";

export type { DType, Tensor, TensorData } from "./types.ts";

/** Bytes of one element of each dtype. */
export const bytesPerElement: Readonly<Record<DType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/**
 * Returns the number of elements of a shape.
 *
 * @example
 * ```ts
 * import { sizeOf } from "attune";
 * console.assert(sizeOf([2, 3]) === 6);
 * ```
 */
export function sizeOf(dims: readonly number[]): number {
  let size = 1;
  for (const dim of dims) size *= dim;
  return size;
}

/**
 * Creates a float32 tensor of the given values.
 *
 * @throws RangeError if the number of values differs from the product of `dims`.
 * @example
 * ```ts
 * import { f32 } from "attune";
 * console.assert(f32([2], [1, 2]).data[1] === 2);
 * ```
 */
export function f32(dims: readonly number[], data: ArrayLike<number>): Tensor<Float32Array> {
  return tensor("float32", dims, data instanceof Float32Array ? data : Float32Array.from(data));
}

/**
 * Creates an int32 tensor of the given values.
 *
 * @throws RangeError if the number of values differs from the product of `dims`.
 * @example
 * ```ts
 * import { i32 } from "attune";
 * console.assert(i32([1], [7]).dtype === "int32");
 * ```
 */
export function i32(dims: readonly number[], data: ArrayLike<number>): Tensor<Int32Array> {
  return tensor("int32", dims, data instanceof Int32Array ? data : Int32Array.from(data));
}

function tensor<D extends TensorData>(dtype: DType, dims: readonly number[], data: D): Tensor<D> {
  if (sizeOf(dims) !== data.length) {
    throw new RangeError(`Expected ${sizeOf(dims)} values for dims [${dims}] but found ${data.length}`);
  }
  return { dtype, dims, data };
}
