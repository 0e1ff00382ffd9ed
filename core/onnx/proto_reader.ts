/**
 * Protocol Buffers' wire format, read (https://protobuf.dev/programming-guides/encoding).
 * @module
 */
import { type AttuneError, badFile, refused } from "../errors.ts";

/** Walks the fields of a message. A field that is not taken is skipped by the next call of `next`. */
export interface ProtoReader {
  /** The number of the next field, or 0 behind the last one. */
  next(): number;
  /** A signed integer within ±2^53. */
  int(): number;
  float(): number;
  string(): string;
  /** A view of the input, not a copy. */
  bytes(): Uint8Array;
  message<T>(read: (reader: ProtoReader) => T): T;
  /** Appends the values of a repeated field, packed or one by one. */
  ints(into: number[]): void;
  floats(into: number[]): void;
  /** As `ints`, over the whole range of 64 bits. */
  bigInts(into: bigint[]): void;
  /** An error that names the byte where the reader stands. */
  broken(problem: string): AttuneError;
}

/** What a reader takes at most: bytes of input, fields and packed values in all, messages within messages. */
export type ProtoLimits = Readonly<{ bytes: number; items: number; depth: number }>;

const TWO_32 = 2 ** 32;
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;

/**
 * Reads a message with `read`, which walks its fields. Nothing is allocated because the input declares a size.
 *
 * @throws AttuneError where the input is cut off, malformed, or beyond `limits`.
 * @example
 * ```ts
 * import { readProto } from "attune/onnx";
 * const limits = { bytes: 1024, items: 100, depth: 4 };
 * const value = readProto("example", Uint8Array.of(8, 150, 1), limits, (r) => (r.next() === 1 ? r.int() : 0));
 * console.assert(value === 150);
 * ```
 */
export function readProto<T>(
  plugin: string,
  input: Uint8Array,
  limits: ProtoLimits,
  read: (reader: ProtoReader) => T,
): T {
  if (input.length > limits.bytes) {
    throw refused(plugin, `The file has ${input.length} bytes; at most ${limits.bytes} are allowed`);
  }
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let at = 0;
  let end = input.length;
  let items = 0;
  let depth = 0;
  let field = 0;
  let wire = -1; // -1: the field is taken
  let low = 0;
  let high = 0;

  const broken = (problem: string): AttuneError => badFile(plugin, `Byte ${at}`, problem);
  const item = (): void => {
    if (++items > limits.items) throw broken(`more than ${limits.items} fields and values`);
  };
  const need = (bytes: number, what: string): void => {
    if (bytes > end - at) throw broken(`${what} takes ${bytes} bytes but ${end - at} are left`);
  };
  /** One number of up to 64 bits into `low` and `high`. */
  const word = (): void => {
    low = high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = at < end ? input[at] : undefined;
      if (byte === undefined) throw broken("the data ends within a number");
      if (shift === 63 && byte > 1) throw broken("a number has more than 64 bits");
      at++;
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 128) return;
    }
  };
  const varint = (): number => {
    word();
    const value = (high | 0) * TWO_32 + (low >>> 0);
    if (!Number.isSafeInteger(value)) throw broken("a number is not within ±2^53");
    return value;
  };
  const bigInt = (): bigint => {
    word();
    return (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
  };
  const expect = (wanted: number): void => {
    if (wire !== wanted) throw broken(`field ${field} has wire type ${wire} where ${wanted} is expected`);
    wire = -1;
  };
  const length = (): number => {
    const bytes = varint();
    if (bytes < 0) throw broken(`field ${field} has a length of ${bytes}`);
    need(bytes, `field ${field}`);
    return bytes;
  };
  const bytes = (): Uint8Array => {
    expect(LENGTH);
    const size = length();
    at += size;
    return input.subarray(at - size, at);
  };
  const float = (): number => {
    need(4, "a float");
    at += 4;
    return view.getFloat32(at - 4, true);
  };
  const repeated = <V>(into: V[], single: number, one: () => V): void => {
    if (wire === single) {
      wire = -1;
      into.push(one());
      return;
    }
    expect(LENGTH);
    within(length(), () => {
      while (at < end) {
        item();
        into.push(one());
      }
    });
  };
  const within = <R>(size: number, inner: () => R): R => {
    const outer = end;
    end = at + size;
    const result = inner();
    at = end;
    end = outer;
    return result;
  };
  const skip = (): void => {
    if (wire === VARINT) {
      word();
      return;
    }
    const size = wire === LENGTH ? length() : wire === FIXED64 ? 8 : 4;
    need(size, `field ${field}`);
    at += size;
  };
  const reader: ProtoReader = {
    next: () => {
      if (wire >= 0) skip();
      wire = -1;
      if (at >= end) return 0;
      item();
      const tag = varint();
      field = Math.floor(tag / 8);
      if (tag >= TWO_32 || field < 1) throw broken(`${tag} is not the tag of a field`);
      wire = tag % 8;
      if (wire !== VARINT && wire !== FIXED64 && wire !== LENGTH && wire !== FIXED32) {
        throw broken(`field ${field} has wire type ${wire}; allowed are 0, 1, 2 and 5`);
      }
      return field;
    },
    int: () => {
      expect(VARINT);
      return varint();
    },
    float: () => {
      expect(FIXED32);
      return float();
    },
    bytes,
    string: () => {
      const value = bytes();
      try {
        return decoder.decode(value);
      } catch {
        throw broken(`field ${field} is not UTF-8`);
      }
    },
    message: (read) => {
      expect(LENGTH);
      if (++depth > limits.depth) throw broken(`messages are nested more than ${limits.depth} deep`);
      const result = within(length(), () => read(reader));
      wire = -1;
      depth--;
      return result;
    },
    ints: (into) => repeated(into, VARINT, varint),
    floats: (into) => repeated(into, FIXED32, float),
    bigInts: (into) => repeated(into, VARINT, bigInt),
    broken,
  };
  return read(reader);
}
