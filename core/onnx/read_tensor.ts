/** Reads ONNX tensors: raw bytes, typed lists of numbers, or a location in another file. */
import { badFile, show, unsupported } from "../base/errors.ts";
import { bytesPerElement, type DType, sizeOf } from "../base/tensor.ts";
import { elementTypes, type OnnxExternal, type OnnxTensor } from "./model.ts";
import type { ProtoReader } from "./proto_reader.ts";

const dtypes: ReadonlyMap<number, DType> = new Map(
  (Object.keys(elementTypes) as DType[]).map((dtype) => [elementTypes[dtype], dtype]),
);

const ranges: Readonly<Record<Exclude<DType, "float32" | "float64" | "int64">, readonly [low: number, high: number]>> =
  {
    int32: [-(2 ** 31), 2 ** 31 - 1],
    int8: [-128, 127],
    uint8: [0, 255],
    bool: [0, 1],
    float16: [0, 65535],
    bfloat16: [0, 65535],
  };

/** Returns the element type of a type number. Throws AttuneError if it is not supported. */
export function dtypeOf(type: number, where: string): DType {
  const dtype = dtypes.get(type);
  if (!dtype) throw unsupported("onnx", where, type, `element types are ${show(elementTypes)}`);
  return dtype;
}

/** Reads a TensorProto. Throws AttuneError if its data do not fit its dims. */
export function readTensor(r: ProtoReader): OnnxTensor {
  const dims: number[] = [];
  const floats: number[] = [];
  const ints: number[] = [];
  const longs: bigint[] = [];
  const entries = new Map<string, string>();
  let type = 0;
  let name = "";
  let raw: Uint8Array | undefined;
  let isExternal = false;
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) r.ints(dims);
    else if (field === 2) type = r.int();
    else if (field === 4) r.floats(floats);
    else if (field === 5) r.ints(ints);
    else if (field === 7) r.bigInts(longs);
    else if (field === 8) name = r.string();
    else if (field === 9) raw = r.bytes();
    else if (field === 13) readEntry(r, entries);
    else if (field === 14) isExternal = r.int() === 1;
    else if (field === 3) throw unsupported("onnx", `Tensor "${name}"`, "segment", "split tensors are not read");
  }
  const where = `Tensor "${name}"`;
  const dtype = dtypeOf(type, where);
  const size = sizeOf(dims) * bytesPerElement[dtype];
  if (!dims.every((dim) => dim >= 0) || !Number.isSafeInteger(size)) {
    throw badFile("onnx", where, `dims ${show(dims)} are not sizes of a tensor`);
  }
  const kinds = [raw, ...[floats, ints, longs].filter((list) => list.length > 0)].filter((kind) => kind !== undefined);
  if (kinds.length > (isExternal ? 0 : 1)) throw badFile("onnx", where, "data of more than one kind");
  if (isExternal) return { name, dtype, dims, external: externalOf(where, entries, size) };
  const data = raw ?? encode(where, dtype, floats, ints, longs);
  if (data.length !== size) {
    throw badFile("onnx", where, `${data.length} bytes of data where ${dtype} ${show(dims)} takes ${size}`);
  }
  return { name, dtype, dims, data };
}

/** Reads a StringStringEntryProto into a map that must not have its key yet. */
export function readEntry(r: ProtoReader, entries: Map<string, string>): void {
  let key = "";
  let value = "";
  r.message((r) => {
    for (let field = r.next(); field !== 0; field = r.next()) {
      if (field === 1) key = r.string();
      else if (field === 2) value = r.string();
    }
  });
  if (entries.has(key)) throw r.broken(`the key ${show(key)} occurs twice`);
  entries.set(key, value);
}

function externalOf(where: string, entries: ReadonlyMap<string, string>, size: number): OnnxExternal {
  const location = entries.get("location") ?? "";
  if (location === "") throw badFile("onnx", where, "external data without a location");
  const number = (key: string, fallback: number): number => {
    const text = entries.get(key);
    if (text === undefined) return fallback;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value)) throw badFile("onnx", where, `${key} ${show(text)} is not a number of bytes`);
    return value;
  };
  const length = number("length", size);
  if (length !== size) throw badFile("onnx", where, `external data of ${length} bytes where its dims take ${size}`);
  return { location, offset: number("offset", 0), length };
}

/** Encodes typed data: float_data has float32, int64_data int64, int32_data narrower types (16-bit floats as bits). */
function encode(
  where: string,
  dtype: DType,
  floats: readonly number[],
  ints: readonly number[],
  longs: readonly bigint[],
): Uint8Array {
  if (dtype === "float64") throw unsupported("onnx", where, dtype, "it is read only as raw bytes");
  const values = dtype === "float32" ? floats : dtype === "int64" ? longs : ints;
  const bytes = new Uint8Array(bytesPerElement[dtype] * values.length);
  const view = new DataView(bytes.buffer);
  if (dtype === "float32") floats.forEach((value, i) => view.setFloat32(4 * i, value, true));
  else if (dtype === "int64") longs.forEach((value, i) => view.setBigInt64(8 * i, value, true));
  else {
    const [low, high] = ranges[dtype];
    ints.forEach((value, i) => {
      if (value < low || value > high) throw badFile("onnx", where, `${value} is not a value of ${dtype}`);
      if (dtype === "int32") view.setInt32(4 * i, value, true);
      else if (low === 0 && high > 255) view.setUint16(2 * i, value, true);
      else view.setUint8(i, value);
    });
  }
  return bytes;
}
