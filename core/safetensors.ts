/**
 * The safetensors format, read within bounds and written: 8 bytes of header length, a JSON header, the tensors' bytes.
 * @module
 */
import { badFile, missing, show } from "./errors.ts";
import { bytesPerElement, type DType, sizeOf, type Tensor, type TensorData } from "./tensor.ts";
import type { Named, Store, WeightLocation, Weights } from "./types.ts";

/** Where a tensor lies in its file. */
export type TensorInfo = Readonly<{ dtype: DType; dims: readonly number[]; offset: number; bytes: number }>;

/** An opened file: tensors are read by range, one at a time. */
export interface SafetensorsFile {
  readonly names: readonly string[];
  info(name: string): TensorInfo;
  /** As stored. Throws AttuneError where there is no such tensor. */
  read(name: string): Promise<Tensor>;
}

/** Longer headers are refused, as the format's own library does. */
const MAX_HEADER = 100_000_000;

const dtypes: Readonly<Record<string, DType>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};
const codes: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(dtypes).map(([code, dtype]) => [dtype, code]),
);

/** Opens a file of a store. Throws AttuneError where it is missing or not a sound safetensors file. */
export async function openSafetensors(store: Store, key: string): Promise<SafetensorsFile> {
  const head = await store.get(key, { offset: 0, length: 8 });
  if (!head) throw missing("safetensors", key, "the directory");
  if (head.size < 8 || head.bytes.length < 8) {
    throw badFile("safetensors", key, `has ${head.size} bytes, fewer than a header's length takes`);
  }
  const length = Number(new DataView(head.bytes.buffer, head.bytes.byteOffset, 8).getBigUint64(0, true));
  if (length < 2 || length > MAX_HEADER || length > head.size - 8) {
    throw badFile("safetensors", key, `declares a header of ${length} bytes in a file of ${head.size}`);
  }
  const header = await store.get(key, { offset: 8, length });
  if (header?.bytes.length !== length) throw badFile("safetensors", key, "is truncated in its header");
  const infos = parseHeader(key, header.bytes, 8 + length, head.size);
  const info = (name: string): TensorInfo => {
    const found = infos.get(name);
    if (!found) throw missing("safetensors", `tensor ${show(name)}`, key);
    return found;
  };
  return {
    names: [...infos.keys()],
    info,
    read: async (name) => {
      const { dtype, dims, offset, bytes } = info(name);
      const part = await store.get(key, { offset, length: bytes });
      if (part?.bytes.length !== bytes) throw badFile("safetensors", key, `is truncated in tensor ${show(name)}`);
      return { dtype, dims, data: viewOf(dtype, part.bytes) };
    },
  };
}

/** The tensors that a header describes, with offsets in the file. Throws AttuneError on anything that the format forbids. */
export function parseHeader(file: string, bytes: Uint8Array, start: number, size: number): Map<string, TensorInfo> {
  const broken = (problem: string): Error => badFile("safetensors", file, problem);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw broken("its header is not UTF-8");
  }
  if (!text.startsWith("{")) throw broken("its header does not start with {");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw broken(`its header is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  const entries = Object.entries(parsed as Record<string, unknown>);
  // JSON.parse keeps the last of equal keys, and another reader may keep the first.
  if (topLevelKeys(text) !== entries.length) throw broken("its header names a tensor twice");
  const infos = new Map<string, TensorInfo>();
  for (const [name, value] of entries) {
    if (name === "__metadata__") continue;
    const at = `tensor ${show(name)}`;
    const { dtype, shape, data_offsets: offsets } =
      (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
    const own = typeof dtype === "string" && Object.hasOwn(dtypes, dtype) ? dtypes[dtype] : undefined;
    if (!own) throw broken(`${at} has dtype ${show(dtype)}; known are ${Object.keys(dtypes).join(", ")}`);
    if (!isWholeList(shape)) throw broken(`${at} has shape ${show(shape)}`);
    if (!isWholeList(offsets) || offsets.length !== 2) throw broken(`${at} has data_offsets ${show(offsets)}`);
    const [from = 0, to = 0] = offsets;
    const elements = shape.reduce((product, dim) => product * dim, 1);
    if (!Number.isSafeInteger(elements) || elements * bytesPerElement[own] !== to - from) {
      throw broken(
        `${at} has ${to - from} bytes, and its shape ${show(shape)} in ${dtype} takes ${
          elements * bytesPerElement[own]
        }`,
      );
    }
    if (start + to > size) throw broken(`${at} ends at byte ${start + to} of ${size}`);
    infos.set(name, { dtype: own, dims: shape, offset: start + from, bytes: to - from });
  }
  let at = start;
  for (const [name, info] of [...infos].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes)) {
    if (info.offset !== at) {
      throw broken(
        `tensor ${show(name)} starts at byte ${info.offset}, where ${at} is due: tensors overlap or leave gaps`,
      );
    }
    at += info.bytes;
  }
  if (at !== size) throw broken(`${size - at} bytes behind its last tensor belong to none`);
  return infos;
}

/** Any dtype as float32. */
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

/** The bytes of a file of tensors, in the given order. */
export function writeSafetensors(tensors: Named<Tensor>, metadata: Named<string> = { format: "pt" }): Uint8Array {
  const { head, total } = headerOf(tensors, metadata);
  const out = new Uint8Array(head.length + total);
  out.set(head);
  let at = head.length;
  for (const { data } of Object.values(tensors)) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

/** The same file tensor by tensor, for stores that take streams. */
export async function* streamSafetensors(
  tensors: Named<Tensor>,
  metadata: Named<string> = { format: "pt" },
): AsyncIterable<Uint8Array> {
  yield headerOf(tensors, metadata).head;
  for (const { data } of Object.values(tensors)) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function headerOf(tensors: Named<Tensor>, metadata: Named<string>): { head: Uint8Array; total: number } {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let total = 0;
  for (const [name, { dtype, dims, data }] of Object.entries(tensors)) {
    const bytes = sizeOf(dims) * bytesPerElement[dtype];
    if (data.byteLength !== bytes) {
      throw badFile("safetensors", name, `has ${data.byteLength} bytes where its dims take ${bytes}`);
    }
    header[name] = { dtype: codes[dtype], shape: dims, data_offsets: [total, total + bytes] };
    total += bytes;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + length).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(json, 8);
  return { head, total };
}

/** The weights of a checkpoint: model.safetensors, or the shards that model.safetensors.index.json names. */
export async function openWeights(store: Store): Promise<Weights> {
  const files = await weightFiles(store);
  const opened = new Map<string, { file: SafetensorsFile; path: string | undefined }>();
  const owner = new Map<string, string>();
  for (const key of files) {
    const file = await openSafetensors(store, key);
    opened.set(key, { file, path: await store.locate?.(key) });
    for (const name of file.names) {
      if (owner.has(name)) {
        throw badFile("safetensors", key, `holds tensor ${show(name)}, which ${owner.get(name)} holds too`);
      }
      owner.set(name, key);
    }
  }
  const of = (name: string): { file: SafetensorsFile; path: string | undefined } | undefined =>
    opened.get(owner.get(name) ?? "");
  return {
    names: [...owner.keys()],
    read: async (name) => {
      const own = of(name);
      if (!own) throw missing("safetensors", `tensor ${show(name)}`, files.join(", "));
      return toFloat32(await own.file.read(name));
    },
    locate: (name): WeightLocation | undefined => {
      const own = of(name);
      return own && { file: own.path, ...own.file.info(name) };
    },
  };
}

async function weightFiles(store: Store): Promise<string[]> {
  if (await store.get("model.safetensors", { offset: 0, length: 0 })) return ["model.safetensors"];
  const index = await store.get("model.safetensors.index.json");
  if (!index) {
    const there: string[] = [];
    for await (const { key } of store.list("")) if (there.length < 20) there.push(key);
    const torch = there.some((key) => key.endsWith(".bin"));
    throw missing(
      "safetensors",
      `model.safetensors${
        torch ? " (pytorch_model.bin is not read: save the model with safe_serialization=True)" : ""
      }`,
      `the model directory, which holds ${there.join(", ") || "nothing"},`,
    );
  }
  const { weight_map: map } = JSON.parse(new TextDecoder().decode(index.bytes));
  const names = [...new Set(Object.values(map ?? {}))].map(String);
  for (const name of names) {
    if (!/^[\w.-]+\.safetensors$/.test(name)) {
      throw badFile(
        "safetensors",
        "model.safetensors.index.json",
        `names shard ${show(name)}, which is not a plain file name`,
      );
    }
  }
  return names;
}

/** How many keys the outermost object of a JSON text has, equal ones counted each. */
function topLevelKeys(text: string): number {
  let [depth, keys, inString] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") depth--;
    else if (c === ":" && depth === 1) keys++;
  }
  return keys;
}

function isWholeList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((x) => Number.isSafeInteger(x) && x >= 0);
}

function viewOf(dtype: DType, bytes: Uint8Array): TensorData {
  // Typed arrays want aligned bytes.
  const own = bytes.byteOffset % bytesPerElement[dtype] === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = own;
  const length = own.byteLength / bytesPerElement[dtype];
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, byteOffset, length);
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

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
