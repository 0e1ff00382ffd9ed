/** Reading of safetensors files, one tensor at a time, and of a model's weights in one or several files. */
import { copyBytes } from "../base/bytes.ts";
import { badFile, missing, refuseLfsPointer, show } from "../base/errors.ts";
import { dequantizeInt8, quantizedTensor, scaleName } from "./int8.ts";
import { parseSafetensorsHeader, safetensorsHeaderLength, type TensorInfo } from "./safetensors_header.ts";
import { bytesPerElement, type DType, type Tensor, type TensorData } from "../base/tensor.ts";
import type { Store, WeightLocation, Weights } from "../types.ts";
import type { WeightFiles } from "./weight_shards.ts";

export { parseSafetensorsHeader, type SafetensorsHeader, type TensorInfo } from "./safetensors_header.ts";
export { safetensorsSize, streamSafetensors, type TensorForm, writeSafetensors } from "./safetensors_write.ts";

/** An opened safetensors file. Its methods throw AttuneError if there is no tensor of the name. */
export interface SafetensorsFile {
  readonly names: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  /** Returns the location of a tensor's bytes. */
  locate(name: string): TensorInfo;
  /** Reads a tensor as stored. Throws AttuneError if the file has changed since it was opened. */
  read(name: string): Promise<Tensor>;
  /** Reads a range of a tensor's bytes. Throws as `read` does. */
  part(name: string, from: number, length: number): Promise<Uint8Array>;
}

/** A model's weights, with access to their stored bytes. */
export interface StoredWeights extends Weights {
  /** Returns a reader of a tensor's bytes; undefined if stored as integers and scales. Throws for unknown names. */
  part(name: string): ((from: number, length: number) => Promise<Uint8Array>) | undefined;
}

/** How files are opened. `maxHeader`: the longest header in bytes to accept, for hosts with little memory. */
export type OpenOptions = Readonly<{ maxHeader?: number }>;

/**
 * Opens a file of a store; only its header is read.
 *
 * @throws AttuneError if it is missing or not a valid safetensors file.
 * @example
 * ```ts
 * import { f32, openSafetensors, writeSafetensors } from "attune";
 * import { memory } from "attune/stores/memory";
 * import { node } from "attune/node";
 * const store = await memory().open(await node());
 * await store.put("x.safetensors", writeSafetensors({ x: f32([1], [7]) }));
 * console.assert((await (await openSafetensors(store, "x.safetensors")).read("x")).data[0] === 7);
 * ```
 */
export async function openSafetensors(
  store: Store,
  key: string,
  { maxHeader = Infinity }: OpenOptions = {},
): Promise<SafetensorsFile> {
  const first = await store.get(key, { offset: 0, length: 8 });
  if (!first) throw await (await import("./other_weights.ts")).missingWeightsIn(store, key);
  refuseLfsPointer("safetensors", key, first.bytes);
  const length = safetensorsHeaderLength(first.bytes, first.size, key);
  if (length > maxHeader) {
    throw badFile("safetensors", key, `has a header of ${length} bytes; at most ${maxHeader} are read here`);
  }
  const head = await store.get(key, { offset: 0, length: 8 + length });
  if (head?.revision !== first.revision) throw badFile("safetensors", key, "changed while it was read");
  const { tensors, metadata } = parseSafetensorsHeader(head.bytes, head.size, key);
  const locate = (name: string): TensorInfo => {
    const tensor = tensors.get(name);
    if (!tensor) throw missing("safetensors", `tensor ${show(name)}`, key);
    return tensor;
  };
  const part = async (name: string, from: number, length: number): Promise<Uint8Array> => {
    const { offset, bytes } = locate(name);
    if (from + length > bytes) throw new RangeError(`Bytes ${from} to ${from + length} of ${bytes}`);
    const file = await store.get(key, { offset: offset + from, length });
    if (file?.revision !== head.revision) throw badFile("safetensors", key, "changed while it was read");
    if (file.bytes.length !== length) throw badFile("safetensors", key, `is truncated in tensor ${show(name)}`);
    return file.bytes;
  };
  return {
    names: [...tensors.keys()],
    metadata,
    locate,
    part,
    read: async (name) => {
      const { dtype, dims, bytes } = locate(name);
      return { dtype, dims, data: viewOf(dtype, await part(name, 0, bytes)) };
    },
  };
}

/**
 * Reads all tensors from the bytes of a whole file, as stored.
 *
 * @throws AttuneError, which names `file`, if the bytes are not a valid safetensors file.
 * @example
 * ```ts
 * import { f32, readSafetensors, writeSafetensors } from "attune";
 * console.assert(readSafetensors(writeSafetensors({ x: f32([1], [7]) }), "x.safetensors").x?.data[0] === 7);
 * ```
 */
export function readSafetensors(bytes: Uint8Array, file: string): Record<string, Tensor> {
  refuseLfsPointer("safetensors", file, bytes);
  const length = safetensorsHeaderLength(bytes.subarray(0, 8), bytes.length, file);
  const { tensors } = parseSafetensorsHeader(bytes.subarray(0, 8 + length), bytes.length, file);
  return Object.fromEntries(
    [...tensors].map(([name, { dtype, dims, offset, bytes: size }]) => [name, {
      dtype,
      dims,
      data: viewOf(dtype, bytes.subarray(offset, offset + size)),
    }]),
  );
}

/**
 * Converts a tensor of any dtype to float32; a float32 tensor is returned as it is.
 *
 * @example
 * ```ts
 * import { toFloat32 } from "attune";
 * console.assert(toFloat32({ dtype: "bfloat16", dims: [1], data: Uint16Array.of(0x3f80) }).data[0] === 1);
 * ```
 */
export function toFloat32(tensor: Tensor): Tensor<Float32Array> {
  const { dtype, dims, data } = tensor;
  if (data instanceof Float32Array) return { dtype: "float32", dims, data };
  const out = new Float32Array(data.length);
  if (dtype === "bfloat16") {
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < bits.length; i++) bits[i] = Number(data[i]) << 16;
  } else if (dtype === "float16") { for (let i = 0; i < out.length; i++) out[i] = halfToFloat(Number(data[i])); }
  else for (let i = 0; i < out.length; i++) out[i] = Number(data[i]);
  return { dtype: "float32", dims, data: out };
}

/**
 * Opens the weights of a checkpoint: model.safetensors, or the shards in model.safetensors.index.json. A tensor `x`
 * next to a tensor `x.scale` is stored as integers (see `quantizeInt8`).
 *
 * @throws AttuneError if there are none (the message says what is there), or if index and shards do not match.
 * @example
 * ```ts
 * import { f32, openWeights, writeSafetensors } from "attune";
 * import { memory } from "attune/stores/memory";
 * import { node } from "attune/node";
 * const store = await memory().open(await node());
 * await store.put("model.safetensors", writeSafetensors({ x: f32([1], [7]) }));
 * console.assert((await openWeights(store)).names[0] === "x");
 * ```
 */
export async function openWeights(store: Store, options: OpenOptions = {}): Promise<StoredWeights> {
  const { files, map } = await weightFiles(store);
  const opened = new Map<string, { file: SafetensorsFile; path: string | undefined }>();
  const owner = new Map<string, string>();
  for (const key of files) {
    const file = await openSafetensors(store, key, options);
    opened.set(key, { file, path: await store.locate?.(key) });
    for (const name of file.names) {
      const other = owner.get(name);
      if (other !== undefined) {
        throw badFile("safetensors", key, `has tensor ${show(name)}, which ${other} has, too`);
      }
      owner.set(name, key);
    }
  }
  for (const [name, key] of map) {
    if (owner.get(name) !== key) {
      throw badFile("safetensors", key, `lacks tensor ${show(name)}, although the index lists it`);
    }
  }
  const of = (name: string): { file: SafetensorsFile; path: string | undefined } | undefined =>
    opened.get(owner.get(name) ?? "");
  // Scales belong to their integers and are not weights of their own.
  const scales = new Set([...owner.keys()].map(scaleName).filter((scale) => owner.has(scale)));
  return {
    names: [...owner.keys()].filter((name) => !scales.has(name)),
    read: async (name) => {
      const tensor = of(name);
      if (!tensor) throw missing("safetensors", `tensor ${show(name)}`, files.join(", "));
      const stored = await tensor.file.read(name);
      const scale = of(scaleName(name));
      if (!scale) {
        if (stored.dtype !== "int8") return toFloat32(stored);
        throw badFile(
          "safetensors",
          tensor.path ?? files.join(", "),
          `has integers in ${show(name)}, and ${scaleName(name)} is missing`,
        );
      }
      return dequantizeInt8(stored, await scale.file.read(scaleName(name)), name);
    },
    quantized: async (name) => {
      const [tensor, scale] = [of(name), of(scaleName(name))];
      if (!tensor || !scale) return undefined;
      return quantizedTensor(await tensor.file.read(name), await scale.file.read(scaleName(name)), name);
    },
    part: (name) => {
      const file = of(name)?.file;
      if (!file) throw missing("safetensors", `tensor ${show(name)}`, files.join(", "));
      return of(scaleName(name)) ? undefined : (from, length) => file.part(name, from, length);
    },
    locate: (name): WeightLocation | undefined => {
      const tensor = of(name);
      return tensor && { file: tensor.path, ...tensor.file.locate(name) };
    },
  };
}

/** Finds a model's weight files and, for shards, the file of each tensor. Throws AttuneError if there are none. */
export async function weightFiles(store: Store): Promise<WeightFiles> {
  if (await store.get("model.safetensors", { offset: 0, length: 0 })) {
    return { files: ["model.safetensors"], map: new Map() };
  }
  return await (await import("./weight_shards.ts")).shardedFiles(store);
}

/** Views a tensor's bytes as its values, without a copy if they are aligned. */
export function viewOf(dtype: DType, bytes: Uint8Array): TensorData {
  // Typed arrays require aligned bytes.
  const aligned = bytes.byteOffset % bytesPerElement[dtype] === 0 ? bytes : copyBytes(bytes);
  const { buffer, byteOffset } = aligned;
  const length = aligned.byteLength / bytesPerElement[dtype];
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, byteOffset, length);
    case "float64":
      return new Float64Array(buffer, byteOffset, length);
    case "float16":
    case "bfloat16":
      return new Uint16Array(buffer, byteOffset, length);
    case "int64":
      return new BigInt64Array(buffer, byteOffset, length);
    case "int32":
      return new Int32Array(buffer, byteOffset, length);
    case "int8":
      return new Int8Array(buffer, byteOffset, length);
    default:
      return new Uint8Array(buffer, byteOffset, length);
  }
}

/** Converts floats to the bytes of a float dtype, rounding to nearest, ties to even. */
export function fromFloat32(values: Float32Array, dtype: DType): Uint8Array {
  if (dtype === "float32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (dtype === "float64") return new Uint8Array(Float64Array.from(values).buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  if (dtype === "bfloat16") {
    for (let i = 0; i < out.length; i++) {
      const b = bits[i] ?? 0;
      out[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
    }
  } else if (dtype === "float16") { for (let i = 0; i < out.length; i++) out[i] = floatToHalf(bits[i] ?? 0); }
  else throw new RangeError(`Floats cannot be stored as ${dtype}`);
  return new Uint8Array(out.buffer);
}

function floatToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00;
  // Below 2⁻¹⁴ results are subnormal, in steps of 2⁻²⁴; above it the exponent's bias changes by 112.
  const shift = size < 0x38800000 ? 126 - (size >>> 23) : 13;
  if (shift > 24) return sign;
  const mantissa = shift === 13 ? size - 0x38000000 : (size & 0x7fffff) | 0x800000;
  const digits = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (digits + (rest > half || (rest === half && digits & 1) ? 1 : 0));
}

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
