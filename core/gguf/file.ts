/**
 * GGUF files: their metadata, and their tensors, decoded to float32 piece by piece on demand.
 */
import { badFile, missing, show } from "../base/errors.ts";
import { type DType, sizeOf, type Tensor } from "../base/tensor.ts";
import type { Json, Named, Store, WeightLocation } from "../types.ts";
import { dequantize } from "./blocks.ts";
import { type GgufHeader, ggufHeader, type GgufTensor } from "./header.ts";

export type { GgufTensor } from "./header.ts";

/** Rows of a tensor: the first row, and the number of rows. */
export type GgufRows = readonly [from: number, count: number];

/** An opened GGUF file. */
export interface GgufFile {
  readonly metadata: Named<Json>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Reads a tensor, or some of its rows, as float32; only a piece of its encoded bytes is in memory at a time. */
  read(name: string, rows?: GgufRows): Promise<Tensor<Float32Array>>;
  /** Reads the encoded bytes of a tensor, or of some of its rows: blocks of its type. */
  blocks(name: string, rows?: GgufRows): Promise<Uint8Array>;
  /** Returns the location of a tensor of plain floats; for other types, the size and dtype after decoding. */
  locate(name: string, rows?: GgufRows): WeightLocation;
  /** Returns a reader of byte ranges of a tensor of plain floats; undefined for other types. */
  part(name: string, rows?: GgufRows): ((from: number, length: number) => Promise<Uint8Array>) | undefined;
}

/** Bytes that are read for the header, at first and at most; it contains the vocabulary. */
const [FIRST, MOST] = [2 ** 22, 2 ** 27];
/** Bytes of a tensor that are decoded at a time. */
const PIECE = 2 ** 22;

const floats: Readonly<Record<string, DType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/**
 * Opens a GGUF file of a store.
 *
 * @throws AttuneError if it is not a GGUF file, is truncated or inconsistent, or has tensors of an unsupported type.
 */
export async function openGguf(files: Store, key: string): Promise<GgufFile> {
  const first = await files.get(key, { offset: 0, length: FIRST });
  if (!first) throw missing("gguf", key, "the folder");
  const { size, revision } = first;
  const path = await files.locate?.(key);
  const changed = (): Error => badFile("gguf", key, "changed while it was read");
  const bytesOf = async (offset: number, length: number): Promise<Uint8Array> => {
    const file = await files.get(key, { offset, length });
    if (file?.revision !== revision || file.bytes.length !== length) throw changed();
    return file.bytes;
  };
  let header: GgufHeader | undefined;
  let head = first.bytes;
  while (!(header = ggufHeader(head, size, key))) {
    if (head.length >= MOST) throw badFile("gguf", key, `has a header of more than ${MOST} bytes`);
    head = await bytesOf(0, Math.min(2 * head.length, size));
  }
  const { metadata, tensors } = header;
  const tensorOf = (name: string, rows?: GgufRows): GgufTensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw missing("gguf", `tensor ${show(name)}`, key);
    return rows ? rowsOf(tensor, rows) : tensor;
  };
  return {
    metadata,
    tensors,
    read: async (name, rows) => {
      const { dims, type, offset, bytes } = tensorOf(name, rows);
      const data = new Float32Array(sizeOf(dims));
      const piece = Math.floor(PIECE / type.bytes) * type.bytes;
      for (let at = 0; at < bytes; at += piece) {
        const stored = await bytesOf(offset + at, Math.min(piece, bytes - at));
        dequantize(type, stored, data, at / type.bytes * type.values);
      }
      return { dtype: "float32", dims, data };
    },
    blocks: async (name, rows) => {
      const { offset, bytes } = tensorOf(name, rows);
      return await bytesOf(offset, bytes);
    },
    locate: (name, rows) => {
      const { dims, type, offset, bytes } = tensorOf(name, rows);
      const dtype = floats[type.name];
      return dtype
        ? { file: path, offset, bytes, dtype, dims }
        : { file: undefined, offset: 0, bytes: 4 * sizeOf(dims), dtype: "float32", dims };
    },
    part: (name, rows) => {
      const { type, offset, bytes } = tensorOf(name, rows);
      if (!floats[type.name]) return undefined;
      return (from, length) => {
        if (from + length > bytes) throw new RangeError(`Bytes ${from} to ${from + length} of ${bytes}`);
        return bytesOf(offset + from, length);
      };
    },
  };
}

function rowsOf(tensor: GgufTensor, [from, count]: GgufRows): GgufTensor {
  const [rows = 1, ...rest] = tensor.dims;
  if (from < 0 || count < 1 || from + count > rows) {
    throw badFile("gguf", tensor.name, `has ${rows} rows, of which ${from} to ${from + count} are asked for`);
  }
  const bytes = tensor.bytes / rows;
  // Elements of a vector in blocks cannot be read as separate rows.
  if (!Number.isInteger(bytes) || (rest.length === 0 && tensor.type.values > 1)) {
    throw badFile("gguf", tensor.name, `is a vector of ${tensor.type.name}`);
  }
  return { ...tensor, dims: [count, ...rest], offset: tensor.offset + from * bytes, bytes: count * bytes };
}
