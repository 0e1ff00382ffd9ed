/**
 * GGUF files: what they say of a model, and its tensors as float32, read where they are asked for.
 * @module
 */
import { badFile, missing, unsupported } from "../errors.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type { Json, Named, Store } from "../types.ts";
import { type BlockType, blockTypes, dequantized } from "./blocks.ts";

/** A tensor as the file has it; `dims` as torch has them, the innermost last. */
export type GgufTensor = Readonly<{ name: string; dims: readonly number[]; type: BlockType; offset: number }>;

/** An opened file. */
export type GgufFile = Readonly<{
  metadata: Named<Json>;
  tensors: ReadonlyMap<string, GgufTensor>;
  read(name: string): Promise<Tensor<Float32Array>>;
}>;

/** How much of a file is looked at for its header, first and at most, in bytes: vocabularies stand in it. */
const [FIRST, MOST] = [2 ** 22, 2 ** 28];
/** More keys, tensors, or dimensions than these are refused. */
const [KEYS, TENSORS, DIMS] = [100_000, 100_000, 4];

/** More of the file is needed. */
const SHORT = Symbol("short");

/**
 * Opens a file of a store.
 *
 * @throws AttuneError where it is none, or its tensors are of a type that is not read.
 */
export async function openGguf(files: Store, key: string): Promise<GgufFile> {
  const size = (await files.get(key, { offset: 0, length: 0 }))?.size;
  if (size === undefined) throw missing("gguf", key, "the folder");
  for (let length = Math.min(FIRST, size);; length = Math.min(2 * length, size)) {
    const head = await files.get(key, { offset: 0, length });
    if (!head) throw missing("gguf", key, "the folder");
    try {
      return openedAt(headerOf(head.bytes, key), size, files, key);
    } catch (cause) {
      if (cause !== SHORT) throw cause;
      if (length >= size || length >= MOST) throw badFile("gguf", key, "ends within its header");
    }
  }
}

type Header = Readonly<{ metadata: Named<Json>; tensors: readonly GgufTensor[]; data: number }>;

function openedAt({ metadata, tensors, data }: Header, size: number, files: Store, key: string): GgufFile {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const bytesOf = ({ dims, type }: GgufTensor): number => sizeOf(dims) / type.values * type.bytes;
  for (const tensor of tensors) {
    if (data + tensor.offset + bytesOf(tensor) > size) {
      throw badFile("gguf", key, `ends before the tensor ${JSON.stringify(tensor.name)} does`);
    }
  }
  return {
    metadata,
    tensors: byName,
    read: async (name) => {
      const tensor = byName.get(name);
      if (!tensor) throw missing("gguf", `tensor "${name}"`, key);
      const own = await files.get(key, { offset: data + tensor.offset, length: bytesOf(tensor) });
      if (!own) throw missing("gguf", key, "the folder");
      return { dtype: "float32", dims: tensor.dims, data: dequantized(tensor.type, own.bytes) };
    },
  };
}

function headerOf(bytes: Uint8Array, key: string): Header {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length: number): number => {
    if (at + length > bytes.length) throw SHORT;
    at += length;
    return at - length;
  };
  const u32 = (): number => data.getUint32(take(4), true);
  const u64 = (): number => {
    const value = Number(data.getBigUint64(take(8), true));
    if (!Number.isSafeInteger(value)) throw badFile("gguf", key, `has the size ${value}`);
    return value;
  };
  const text = (): string => {
    const length = u64();
    if (length > MOST) throw badFile("gguf", key, `has a text of ${length} bytes`);
    const from = take(length);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(from, from + length));
  };
  const value = (type: number, depth = 0): Json => {
    const read = [
      () => data.getUint8(take(1)),
      () => data.getInt8(take(1)),
      () => data.getUint16(take(2), true),
      () => data.getInt16(take(2), true),
      u32,
      () => data.getInt32(take(4), true),
      () => data.getFloat32(take(4), true),
      () => data.getUint8(take(1)) !== 0,
      text,
      () => {
        const [inner, count] = [u32(), u64()];
        if (count > MOST || depth > 0) throw badFile("gguf", key, "has lists that nobody reads");
        return Array.from({ length: count }, () => value(inner, depth + 1));
      },
      () => Number(data.getBigUint64(take(8), true)),
      () => Number(data.getBigInt64(take(8), true)),
      () => data.getFloat64(take(8), true),
    ][type];
    if (!read) throw badFile("gguf", key, `has a value of type ${type}`);
    return read();
  };
  if (u32() !== 0x46554747) throw badFile("gguf", key, "is no GGUF file");
  const version = u32();
  if (version !== 2 && version !== 3) throw unsupported("gguf", key, `version ${version}`, "versions 2 and 3 are read");
  const [count, keys] = [u64(), u64()];
  if (count > TENSORS || keys > KEYS) throw badFile("gguf", key, `has ${count} tensors and ${keys} keys`);
  const metadata: Record<string, Json> = {};
  for (let i = 0; i < keys; i++) {
    const name = text();
    metadata[name] = value(u32());
  }
  const tensors = Array.from({ length: count }, (): GgufTensor => {
    const name = text();
    const rank = u32();
    if (rank > DIMS) throw badFile("gguf", key, `has a tensor of ${rank} dimensions`);
    const dims = Array.from({ length: rank }, u64).reverse();
    const [id, offset] = [u32(), u64()];
    const type = blockTypes.get(id);
    if (!type) {
      const names = [...blockTypes.values()].map((own) => own.name).join(", ");
      throw unsupported("gguf", name, `type ${id}`, `types that are read: ${names}`);
    }
    if ((dims.at(-1) ?? 1) % type.values !== 0) throw badFile("gguf", key, `${name}: rows are no whole blocks`);
    return { name, dims, type, offset };
  });
  const alignment = Number(metadata["general.alignment"] ?? 32);
  if (!(alignment > 0)) throw badFile("gguf", key, `has the alignment ${alignment}`);
  return { metadata, tensors, data: Math.ceil(at / alignment) * alignment };
}
