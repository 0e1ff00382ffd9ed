/** The basic types, which all others build on; this file imports nothing. */

/** Anything JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A read-only map from name to `T`. */
export type Named<T> = { readonly [name: string]: T };

/** Element types, named as ONNX and safetensors users know them. */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int8"
  | "uint8"
  | "bool";

/** Typed arrays that may hold a tensor's values; float16 and bfloat16 are held as their bits. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int8Array
  | Uint8Array;

/** A dense row-major array: `data.length` is the product of `dims`. */
export type Tensor<D extends TensorData = TensorData> = Readonly<{
  dtype: DType;
  dims: readonly number[];
  data: D;
}>;

/** A stream of random numbers, addressed by index: a whole number ≥ 0, for `normal` below 2⁵². */
export interface Random {
  /**
   * Returns an independent stream for a purpose: `random.fork("dropout", step)`. Parts are text or whole numbers; 1 and
   * "1" differ, and so do ("a", "b") and "ab". Throws AttuneError if a number is not whole.
   */
  fork(...path: readonly (string | number)[]): Random;
  /** 32 random bits as an unsigned integer. */
  bits(index: number): number;
  /** Uniform in [0, 1), a multiple of 2⁻³². */
  uniform(index: number): number;
  /** Standard normal, by Box and Muller from uniforms 2 · index and 2 · index + 1; at most 6.7 in magnitude. */
  normal(index: number): number;
  /** The 64-bit key of this stream as two unsigned 32-bit halves, for kernels. */
  readonly key: readonly [number, number];
}
