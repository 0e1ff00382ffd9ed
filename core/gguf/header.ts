/**
 * The header of a GGUF file: its metadata, and the locations of its tensors. Every size that it declares is checked
 * against the size of the file before it is used.
 */
import { badFile, show, unsupported } from "../base/errors.ts";
import type { Json, Named } from "../types.ts";
import { type BlockType, blockTypes } from "./blocks.ts";

/** A tensor of the file; `dims` as in torch, the innermost last; `offset` from the start of the file. */
export type GgufTensor = Readonly<{
  name: string;
  dims: readonly number[];
  type: BlockType;
  offset: number;
  bytes: number;
}>;

/** The content of the header, which precedes the tensors' values. */
export type GgufHeader = Readonly<{ metadata: Named<Json>; tensors: ReadonlyMap<string, GgufTensor> }>;

/** Limits of keys, tensors, dimensions of a tensor, and values of a list. */
const [KEYS, TENSORS, DIMS, VALUES] = [100_000, 100_000, 4, 2 ** 23];
/** Minimum bytes of a key and of a tensor's entry. */
const [KEY_BYTES, TENSOR_BYTES] = [13, 24];

/** Bytes of a value by type number; minimum bytes for texts and lists. */
const widths: readonly number[] = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];
const [TEXT, LIST] = [8, 9];

/** Reads values in sequence; `what` names each in errors. */
interface Cursor {
  at(): number;
  u32(what: string): number;
  u64(what: string): number;
  text(what: string): string;
  value(type: number, what: string, nested?: boolean): Json;
}

/**
 * Reads the header from a file's first bytes; undefined if more bytes are needed. `size`: bytes of the whole file.
 *
 * @throws AttuneError if the file is not a GGUF file, is truncated or inconsistent, or has unsupported content.
 */
export function ggufHeader(bytes: Uint8Array, size: number, key: string): GgufHeader | undefined {
  try {
    return headerOf(bytes, size, key);
  } catch (cause) {
    if (cause === SHORT) return undefined;
    throw cause;
  }
}

/** Thrown if more bytes of the file are needed. */
const SHORT = Symbol("short");

function headerOf(bytes: Uint8Array, size: number, key: string): GgufHeader {
  const cursor = cursorOf(bytes, size, key);
  const magic = bytes.subarray(0, 4);
  if (String.fromCharCode(...magic) !== "GGUF") {
    throw badFile("gguf", key, `is not a GGUF file: it starts with the bytes ${[...magic].join(" ")}, not with GGUF`);
  }
  cursor.u32("its first bytes");
  const version = cursor.u32("its version");
  if (version !== 2 && version !== 3) throw unsupported("gguf", key, `version ${version}`, "only versions 2 and 3 are");
  const count = cursor.u64("the number of tensors");
  const keys = cursor.u64("the number of keys");
  if (count > TENSORS || keys > KEYS || count * TENSOR_BYTES + keys * KEY_BYTES > size) {
    throw badFile("gguf", key, `says that it has ${count} tensors and ${keys} keys, in ${size} bytes`);
  }
  const metadata = metadataOf(cursor, keys, key);
  const listed: Omit<GgufTensor, "bytes">[] = [];
  for (let i = 0; i < count; i++) listed.push(tensorAt(cursor, i, key));
  const alignment = metadata["general.alignment"] ?? 32;
  if (typeof alignment !== "number" || !(alignment >= 1 && alignment <= 2 ** 20) || (alignment & (alignment - 1))) {
    throw badFile("gguf", key, `has the alignment ${show(alignment)}, which is not a power of two`);
  }
  const data = Math.ceil(cursor.at() / alignment) * alignment;
  return { metadata, tensors: placed(listed, data, alignment, size, key) };
}

function metadataOf(cursor: Cursor, keys: number, key: string): Named<Json> {
  const values = new Map<string, Json>();
  for (let i = 0; i < keys; i++) {
    const name = cursor.text(`the name of key ${i}`);
    if (values.has(name)) throw badFile("gguf", key, `has the key ${show(name)} twice`);
    const what = `the key ${show(name)}`;
    values.set(name, cursor.value(cursor.u32(what), what));
  }
  // Creates own fields even for names like `__proto__`.
  return Object.fromEntries(values);
}

function tensorAt(cursor: Cursor, i: number, key: string): Omit<GgufTensor, "bytes"> {
  const name = cursor.text(`the name of tensor ${i}`);
  const what = `the tensor ${show(name)}`;
  const rank = cursor.u32(what);
  if (rank > DIMS) throw badFile("gguf", key, `${what} has ${rank} dimensions; at most ${DIMS}`);
  const dims: number[] = [];
  for (let d = 0; d < rank; d++) dims.unshift(cursor.u64(what));
  const [id, offset] = [cursor.u32(what), cursor.u64(what)];
  const type = blockTypes.get(id);
  if (!type) {
    const names = [...blockTypes.values()].map((known) => known.name).join(", ");
    throw unsupported("gguf", `${key}: ${name}`, `type ${id}`, `supported: ${names}`);
  }
  if (dims.some((dim) => dim === 0)) throw badFile("gguf", key, `${what} has the dims ${show(dims)}`);
  if ((dims.at(-1) ?? 1) % type.values !== 0) {
    throw badFile("gguf", key, `${what} has rows of ${dims.at(-1)} values; ${type.name} has blocks of ${type.values}`);
  }
  return { name, dims, type, offset };
}

/** Returns tensors with absolute offsets. Throws AttuneError if one is outside the file, misaligned or overlapping. */
function placed(
  listed: readonly Omit<GgufTensor, "bytes">[],
  data: number,
  alignment: number,
  size: number,
  key: string,
): ReadonlyMap<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const tensor of listed) {
    const { name, dims, type } = tensor;
    const what = `the tensor ${show(name)}`;
    const bytes = dims.reduce((a, b) => a * b, 1) / type.values * type.bytes;
    const offset = data + tensor.offset;
    if (tensors.has(name)) throw badFile("gguf", key, `has ${what} twice`);
    if (tensor.offset % alignment !== 0) {
      throw badFile("gguf", key, `${what} lies at ${tensor.offset}, no multiple of the alignment ${alignment}`);
    }
    if (!(offset + bytes <= size)) {
      throw badFile("gguf", key, `ends before ${what} does: ${bytes} bytes from byte ${offset} on, of ${size}`);
    }
    tensors.set(name, { ...tensor, offset, bytes });
  }
  let before: GgufTensor | undefined;
  for (const tensor of [...tensors.values()].sort((a, b) => a.offset - b.offset)) {
    if (before && before.offset + before.bytes > tensor.offset) {
      throw badFile("gguf", key, `the tensors ${show(before.name)} and ${show(tensor.name)} overlap`);
    }
    before = tensor;
  }
  return tensors;
}

function cursorOf(bytes: Uint8Array, size: number, key: string): Cursor {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let at = 0;
  const take = (length: number, what: string): number => {
    if (at + length > size) {
      throw badFile("gguf", key, `ends within its header: ${what}, at byte ${at}, asks for ${length} bytes of ${size}`);
    }
    if (at + length > bytes.length) throw SHORT;
    at += length;
    return at - length;
  };
  const u32 = (what: string): number => data.getUint32(take(4, what), true);
  const toNumber = (value: bigint): number => Number(value);
  const u64 = (what: string): number => {
    const value = data.getBigUint64(take(8, what), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badFile("gguf", key, `${what} is ${value}`);
    return Number(value);
  };
  const text = (what: string): string => {
    const length = u64(`the length of ${what}`);
    const from = take(length, what);
    return decoder.decode(bytes.subarray(from, from + length));
  };
  const numbers: readonly ((from: number) => Json)[] = [
    (from) => data.getUint8(from),
    (from) => data.getInt8(from),
    (from) => data.getUint16(from, true),
    (from) => data.getInt16(from, true),
    (from) => data.getUint32(from, true),
    (from) => data.getInt32(from, true),
    (from) => data.getFloat32(from, true),
    (from) => data.getUint8(from) !== 0,
    () => null,
    () => null,
    (from) => toNumber(data.getBigUint64(from, true)),
    (from) => toNumber(data.getBigInt64(from, true)),
    (from) => data.getFloat64(from, true),
  ];
  const list = (what: string): Json => {
    const type = u32(what);
    const count = u64(`the number of values of ${what}`);
    const width = widths[type];
    if (type === LIST) throw badFile("gguf", key, `${what} is a list of lists`);
    if (width === undefined) throw badFile("gguf", key, `${what} is a list of values of type ${type}`);
    if (count > VALUES) throw badFile("gguf", key, `${what} is a list of ${count} values; at most ${VALUES} are read`);
    if (at + count * width > size) {
      throw badFile("gguf", key, `ends within its header: ${what} is a list of ${count} values, of ${size - at} bytes`);
    }
    const values: Json[] = [];
    for (let i = 0; i < count; i++) values.push(value(type, what));
    return values;
  };
  const value = (type: number, what: string): Json => {
    if (type === TEXT) return text(what);
    if (type === LIST) return list(what);
    const read = numbers[type];
    if (!read) throw badFile("gguf", key, `${what} is a value of type ${type}, but types are 0 to 12`);
    return read(take(widths[type] ?? 1, what));
  };
  return { at: () => at, u32, u64, text, value };
}
