/** Writes the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding). */
import { badValue, refused } from "../base/errors.ts";

/** Appends fields to a message. Ints are whole numbers within ±2^53; packed fields without values are omitted. */
export interface ProtoWriter {
  int(field: number, value: number): void;
  float(field: number, value: number): void;
  double(field: number, value: number): void;
  string(field: number, value: string): void;
  bytes(field: number, value: Uint8Array): void;
  message(field: number, write: (writer: ProtoWriter) => void): void;
  packedInts(field: number, values: readonly number[]): void;
  packedFloats(field: number, values: readonly number[]): void;
}

/** Maximum bytes of a message: parsers refuse 2 GiB or more. */
const MAX_BYTES = 2 ** 31 - 1;
const TWO_32 = 2 ** 32;
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;

/**
 * Returns the bytes of a message. `write` is called twice and must do the same both times: the first pass only counts,
 * so that lengths can precede their bytes and the buffer is allocated once with the right size.
 *
 * @throws AttuneError if an integer is not whole or not within ±2^53, or the message has 2 GiB or more.
 * @example
 * ```ts
 * import { writeProto } from "attune/onnx";
 * console.assert(`${writeProto("example", (w) => w.int(1, 150))}` === "8,150,1");
 * ```
 */
export function writeProto(plugin: string, write: (writer: ProtoWriter) => void): Uint8Array {
  const lengths: number[] = [];
  const total = count(plugin, write, lengths);
  if (total > MAX_BYTES) {
    throw refused(plugin, `The message would have ${total} bytes; a protobuf file holds at most ${MAX_BYTES}`);
  }
  const buffer = new Uint8Array(total);
  emit(write, buffer, lengths);
  return buffer;
}

/** The first pass: returns the size of the message, and appends those of nested messages to `lengths`, outer first. */
function count(plugin: string, write: (writer: ProtoWriter) => void, lengths: number[]): number {
  let size = 0;
  const sized = (field: number, length: number): void => {
    size += varintSize(field * 8) + varintSize(length) + length;
  };
  const checkedSize = (value: number): number => {
    if (!Number.isSafeInteger(value)) throw badValue(plugin, "Integer", value, "a whole number within ±2^53");
    return varintSize(value);
  };
  const writer: ProtoWriter = {
    int: (field, value) => {
      size += varintSize(field * 8) + checkedSize(value);
    },
    float: (field) => {
      size += varintSize(field * 8) + 4;
    },
    double: (field) => {
      size += varintSize(field * 8) + 8;
    },
    string: (field, value) => sized(field, utf8Length(value)),
    bytes: (field, value) => sized(field, value.length),
    message: (field, nested) => {
      const slot = lengths.push(0) - 1;
      const before = size;
      nested(writer);
      const length = size - before;
      lengths[slot] = length;
      size = before;
      sized(field, length);
    },
    packedInts: (field, values) => {
      let length = 0;
      for (const value of values) length += checkedSize(value);
      lengths.push(length);
      if (length > 0) sized(field, length);
    },
    packedFloats: (field, values) => {
      if (values.length > 0) sized(field, 4 * values.length);
    },
  };
  write(writer);
  return size;
}

/** The second pass: writes the message into `buffer`. */
function emit(write: (writer: ProtoWriter) => void, buffer: Uint8Array, lengths: readonly number[]): void {
  const encoder = new TextEncoder();
  const view = new DataView(buffer.buffer);
  let at = 0;
  let slot = 0;
  const varint = (value: number): void => {
    let low = value >>> 0;
    let high = Math.floor(value / TWO_32) >>> 0;
    while (high > 0 || low > 127) {
      buffer[at++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    buffer[at++] = low;
  };
  const open = (field: number, length: number): void => {
    varint(field * 8 + LENGTH);
    varint(length);
  };
  const writer: ProtoWriter = {
    int: (field, value) => {
      varint(field * 8 + VARINT);
      varint(value);
    },
    float: (field, value) => {
      varint(field * 8 + FIXED32);
      view.setFloat32(at, value, true);
      at += 4;
    },
    double: (field, value) => {
      varint(field * 8 + FIXED64);
      view.setFloat64(at, value, true);
      at += 8;
    },
    string: (field, value) => {
      const length = utf8Length(value);
      open(field, length);
      if (length === value.length) { for (let i = 0; i < length; i++) buffer[at + i] = value.charCodeAt(i); }
      else encoder.encodeInto(value, buffer.subarray(at));
      at += length;
    },
    bytes: (field, value) => {
      open(field, value.length);
      buffer.set(value, at);
      at += value.length;
    },
    message: (field, nested) => {
      open(field, lengths[slot++] ?? 0);
      nested(writer);
    },
    packedInts: (field, values) => {
      const length = lengths[slot++] ?? 0;
      if (length > 0) open(field, length);
      for (const value of values) varint(value);
    },
    packedFloats: (field, values) => {
      if (values.length > 0) open(field, 4 * values.length);
      for (const value of values) {
        view.setFloat32(at, value, true);
        at += 4;
      }
    },
  };
  write(writer);
}

/** Returns the bytes of a varint; negative numbers are sign-extended to 64 bits and take ten bytes. */
function varintSize(value: number): number {
  if (value < 0) return 10;
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Returns the bytes of a string in UTF-8; a lone surrogate becomes U+FFFD, which takes three. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    length += unit < 0x800 ? 1 : 2;
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const low = text.charCodeAt(i + 1);
    // A surrogate pair takes four bytes: two are added here, two are its code units.
    if (low >= 0xdc00 && low <= 0xdfff) i++;
  }
  return length;
}
