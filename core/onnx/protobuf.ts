/**
 * Protocol Buffers' wire format: as much as ONNX and TensorBoard files need.
 * @module
 */
import { badFile } from "../errors.ts";

/** Appends fields to a growing buffer. */
export interface ProtoWriter {
  int(field: number, value: number | bigint): void;
  float(field: number, value: number): void;
  double(field: number, value: number): void;
  string(field: number, value: string): void;
  bytes(field: number, value: Uint8Array): void;
  message(field: number, write: (writer: ProtoWriter) => void): void;
  packedInts(field: number, values: readonly number[]): void;
  packedFloats(field: number, values: readonly number[]): void;
  finish(): Uint8Array;
}

/** A new writer. */
export function protoWriter(): ProtoWriter {
  const encoder = new TextEncoder();
  let buffer = new Uint8Array(4096);
  let view = new DataView(buffer.buffer);
  let at = 0;
  const room = (bytes: number): void => {
    if (at + bytes <= buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * buffer.length, at + bytes));
    larger.set(buffer.subarray(0, at));
    buffer = larger;
    view = new DataView(buffer.buffer);
  };
  const varint = (value: number | bigint): void => {
    room(10);
    if (typeof value === "number" && value >= 0 && value <= 0x7fffffff) {
      while (value > 127) {
        buffer[at++] = (value & 127) | 128;
        value >>>= 7;
      }
      buffer[at++] = value;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      buffer[at++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    buffer[at++] = Number(rest);
  };
  const tag = (field: number, wire: number): void => varint(field * 8 + wire);
  const raw = (value: Uint8Array): void => {
    varint(value.length);
    room(value.length);
    buffer.set(value, at);
    at += value.length;
  };
  // The length stands before the bytes, so a nested message is written behind one byte and moved where that is too few.
  const nested = (field: number, write: () => void): void => {
    tag(field, 2);
    room(1);
    const start = ++at;
    write();
    const length = at - start;
    let extra = 0;
    for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) extra++;
    if (extra > 0) {
      room(extra);
      buffer.copyWithin(start + extra, start, at);
    }
    at = start - 1;
    varint(length);
    at += length;
  };
  const writer: ProtoWriter = {
    int: (field, value) => {
      tag(field, 0);
      varint(value);
    },
    float: (field, value) => {
      tag(field, 5);
      room(4);
      view.setFloat32(at, value, true);
      at += 4;
    },
    double: (field, value) => {
      tag(field, 1);
      room(8);
      view.setFloat64(at, value, true);
      at += 8;
    },
    string: (field, value) => {
      tag(field, 2);
      raw(encoder.encode(value));
    },
    bytes: (field, value) => {
      tag(field, 2);
      raw(value);
    },
    message: (field, write) => nested(field, () => write(writer)),
    packedInts: (field, values) => nested(field, () => values.forEach(varint)),
    packedFloats: (field, values) =>
      nested(field, () => {
        room(4 * values.length);
        for (const value of values) {
          view.setFloat32(at, value, true);
          at += 4;
        }
      }),
    finish: () => buffer.slice(0, at),
  };
  return writer;
}

/** One field as it stands on the wire: a number for varints and fixed sizes, else bytes (a view, not a copy). */
export type ProtoField = Readonly<{ field: number; wire: 0 | 1 | 2 | 5; value: bigint; bytes: Uint8Array }>;

const none = new Uint8Array(0);

/** The fields of a message, one after the other. Throws AttuneError where the bytes are not a message. */
export function* protoFields(plugin: string, bytes: Uint8Array): Generator<ProtoField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const broken = (problem: string): Error => badFile(plugin, `byte ${at}`, problem);
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) throw broken("truncated in a number");
      at++;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw broken("a number has more than 10 bytes");
  };
  while (at < bytes.length) {
    const key = varint();
    const field = Number(key >> 3n);
    const wire = Number(key & 7n);
    if (field < 1 || field > 536870911) throw broken(`field number ${field} is out of range`);
    if (wire === 0) yield { field, wire, value: varint(), bytes: none };
    else if (wire === 1 || wire === 5) {
      const size = wire === 1 ? 8 : 4;
      if (at + size > bytes.length) throw broken("truncated in a fixed-size number");
      const value = size === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
      at += size;
      yield { field, wire, value, bytes: bytes.subarray(at - size, at) };
    } else if (wire === 2) {
      const length = varint();
      if (length > BigInt(bytes.length - at)) throw broken(`declares ${length} bytes where ${bytes.length - at} are left`);
      at += Number(length);
      yield { field, wire, value: length, bytes: bytes.subarray(at - Number(length), at) };
    } else throw broken(`wire type ${wire} is not supported`);
  }
}

/** The numbers of a packed field of varints. */
export function packedInts(plugin: string, bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (shift > 70n) throw badFile(plugin, "packed field", "a number has more than 10 bytes");
    if (byte < 128) {
      values.push(Number(BigInt.asIntN(64, value)));
      value = shift = 0n;
    }
  }
  if (shift !== 0n) throw badFile(plugin, "packed field", "truncated in a number");
  return values;
}
