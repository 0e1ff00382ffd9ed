/** Parsing and validation of the header of a safetensors file. */
import { badFile, show, unsupported } from "../base/errors.ts";
import {
  brokenHeader,
  type HeaderScanner,
  scanEnd,
  scanNumbers,
  scanObject,
  scanString,
  unexpectedIn,
} from "./safetensors_scanner.ts";
import { bytesPerElement, type DType } from "../base/tensor.ts";

/** The location of a tensor in its file; `offset` counts from the start of the file. */
export type TensorInfo = Readonly<{ dtype: DType; dims: readonly number[]; offset: number; bytes: number }>;

/** A parsed header. Tensors are in the header's order. */
export type SafetensorsHeader = Readonly<{
  tensors: ReadonlyMap<string, TensorInfo>;
  metadata: ReadonlyMap<string, string>;
  /** The offset at which the tensors' bytes begin. */
  start: number;
}>;

/** The longest header in bytes, the same limit as in the format's own library. */
export const MAX_HEADER = 100_000_000;

/** The most tensors of a file; the largest models have some thousands per file. */
const MAX_TENSORS = 65_536;

/** The names of dtypes in headers. */
export const dtypeCodes: Readonly<Record<DType, string>> = {
  float32: "F32",
  float64: "F64",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};
const dtypes: ReadonlyMap<string, DType> = new Map(
  (Object.keys(dtypeCodes) as DType[]).map((dtype) => [dtypeCodes[dtype], dtype]),
);
/** Dtypes of the format that are not supported. */
const others: ReadonlySet<string> = new Set(
  "I16 U16 U32 U64 C64 F8_E4M3 F8_E5M2 F8_E8M0 F6_E2M3 F6_E3M2 F4".split(" "),
);

/**
 * Parses a header from a file's first bytes: 8 bytes of length, then at least the header itself. Sizes that the file
 * declares never determine how much memory is allocated.
 *
 * @throws AttuneError (`BAD_FILE`) on anything that the format forbids: duplicate names, bytes that are not UTF-8, a
 * byte order mark, numbers beyond 2⁵³, shapes that do not fit their bytes, tensors that overlap or leave gaps, bytes
 * after the last tensor; (`UNSUPPORTED`) on known dtypes that are not supported.
 * @example
 * ```ts
 * import { f32, parseSafetensorsHeader, writeSafetensors } from "attune";
 * const file = writeSafetensors({ x: f32([2], [1, 2]) });
 * console.assert(parseSafetensorsHeader(file, file.length).tensors.get("x")?.bytes === 8);
 * ```
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  fileSize: number,
  file = "safetensors file",
): SafetensorsHeader {
  const length = safetensorsHeaderLength(bytes, fileSize, file);
  if (bytes.length < 8 + length) throw badFile("safetensors", file, "is truncated in its header");
  const header = bytes.subarray(8, 8 + length);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw badFile("safetensors", file, "its header is not UTF-8");
  }
  const start = 8 + length;
  const { tensors, metadata } = scanHeader(text, start, fileSize, file);
  checkLayout(tensors, start, fileSize, file);
  return { tensors, metadata, start };
}

/** Returns the header length that a file's first 8 bytes declare. Throws AttuneError if the file cannot hold it. */
export function safetensorsHeaderLength(bytes: Uint8Array, fileSize: number, file: string): number {
  if (fileSize < 8 || bytes.length < 8) {
    throw badFile("safetensors", file, `has ${fileSize} bytes, fewer than the length of a header takes`);
  }
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length < 2 || length > MAX_HEADER || length > fileSize - 8) {
    throw badFile(
      "safetensors",
      file,
      `declares a header of ${length} bytes in a file of ${fileSize}; at most ${MAX_HEADER}`,
    );
  }
  return length;
}

type Scanned = { tensors: Map<string, TensorInfo>; metadata: Map<string, string> };

/** Scans a header: an object of tensors and, optionally, `__metadata__`, an object of strings. */
function scanHeader(text: string, start: number, fileSize: number, file: string): Scanned {
  const scanner: HeaderScanner = { text, file, at: 0 };
  const tensors = new Map<string, TensorInfo>();
  const metadata = new Map<string, string>();
  if (text[0] !== "{") throw unexpectedIn(scanner, "{");
  scanObject(scanner, "its outermost object", (name) => {
    if (name === "__metadata__") {
      return scanObject(scanner, "__metadata__", (key) => void metadata.set(key, scanString(scanner)));
    }
    if (tensors.size >= MAX_TENSORS) throw brokenHeader(scanner, `has more than ${MAX_TENSORS} tensors`);
    const { dtype, dims, offsets } = scanTensor(scanner, `tensor ${show(name)}`);
    tensors.set(name, infoOf(`tensor ${show(name)}`, dtype, dims, offsets, start, fileSize, file));
  });
  scanEnd(scanner);
  return { tensors, metadata };
}

type ScannedTensor = { dtype?: string; dims?: number[]; offsets?: number[] };

function scanTensor(scanner: HeaderScanner, what: string): ScannedTensor {
  const tensor: ScannedTensor = {};
  scanObject(scanner, what, (key) => {
    if (key === "dtype") tensor.dtype = scanString(scanner);
    else if (key === "shape") tensor.dims = scanNumbers(scanner);
    else if (key === "data_offsets") tensor.offsets = scanNumbers(scanner);
    else throw brokenHeader(scanner, `has ${show(key)} in ${what}; expected: dtype, shape, data_offsets`);
  });
  return tensor;
}

function infoOf(
  name: string,
  code: string | undefined,
  dims: readonly number[] | undefined,
  offsets: readonly number[] | undefined,
  start: number,
  fileSize: number,
  file: string,
): TensorInfo {
  const broken = (problem: string): Error => badFile("safetensors", file, `${name} ${problem}`);
  if (code === undefined || !dims || !offsets) throw broken("lacks its dtype, shape or data_offsets");
  const dtype = dtypes.get(code);
  if (!dtype && others.has(code)) {
    throw unsupported("safetensors", `${file}: ${name}`, code, `supported: ${[...dtypes.keys()].join(", ")}`);
  }
  if (!dtype) throw broken(`has dtype ${show(code)}; supported: ${[...dtypes.keys()].join(", ")}`);
  const [from = 0, to = 0] = offsets;
  if (offsets.length !== 2 || from > to) throw broken(`has data_offsets ${show(offsets)}`);
  if (start + to > fileSize) throw broken(`ends at byte ${start + to} of ${fileSize}`);
  let bytes = bytesPerElement[dtype];
  for (const dim of dims) {
    bytes *= dim;
    if (!Number.isSafeInteger(bytes)) throw broken(`has shape ${show(dims)}, more than 2⁵³ bytes`);
  }
  if (bytes !== to - from) {
    throw broken(`has ${to - from} bytes, and its shape ${show(dims)} in ${code} takes ${bytes}`);
  }
  return { dtype, dims, offset: start + from, bytes };
}

/** Checks that the tensors follow each other without gaps, from the header to the end of the file. */
function checkLayout(tensors: ReadonlyMap<string, TensorInfo>, start: number, fileSize: number, file: string): void {
  let due = start;
  for (
    const [name, { offset, bytes }] of [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes)
  ) {
    if (offset !== due) {
      const problem = `tensor ${
        show(name)
      } starts at byte ${offset}, but should start at ${due}: tensors overlap or leave gaps`;
      throw badFile("safetensors", file, problem);
    }
    due += bytes;
  }
  if (due !== fileSize) {
    throw badFile("safetensors", file, `${fileSize - due} bytes after its last tensor belong to no tensor`);
  }
}
