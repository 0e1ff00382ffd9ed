/** Reads the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding). */
import { type AttuneError, refused } from "../base/errors.ts";
import {
  brokenMessage,
  countItem,
  expectWireType,
  FIXED32,
  LENGTH,
  nextField,
  type ProtoLimits,
  readBigInt,
  readBytes,
  readFloat,
  readLength,
  readVarint,
  TAKEN,
  VARINT,
  type WireInput,
  wireInput,
  withinMessage,
} from "./wire.ts";

/** Walks the fields of a message. A field whose value is not read is skipped by the next call of `next`. */
export interface ProtoReader {
  /** Returns the number of the next field, or 0 after the last one. */
  next(): number;
  /** Reads a signed integer within ±2^53. */
  int(): number;
  float(): number;
  string(): string;
  /** Reads bytes as a view of the input, not a copy. */
  bytes(): Uint8Array;
  message<T>(read: (reader: ProtoReader) => T): T;
  /** Appends the values of a repeated field, packed or one by one. */
  ints(into: number[]): void;
  floats(into: number[]): void;
  /** Like `ints`, over the whole range of 64 bits. */
  bigInts(into: bigint[]): void;
  /** Returns an error that names the current byte. */
  broken(problem: string): AttuneError;
}

/**
 * Reads a message with `read`, which walks its fields. Sizes declared in the input never cause an allocation.
 *
 * @throws AttuneError if the input is cut off, malformed, or beyond `limits`.
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
  const wire = wireInput(plugin, input, limits);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const reader: ProtoReader = {
    next: () => nextField(wire),
    int: () => {
      expectWireType(wire, VARINT);
      return readVarint(wire);
    },
    float: () => {
      expectWireType(wire, FIXED32);
      return readFloat(wire);
    },
    bytes: () => readBytes(wire),
    string: () => {
      const value = readBytes(wire);
      try {
        return decoder.decode(value);
      } catch {
        throw brokenMessage(wire, `field ${wire.field} is not UTF-8`);
      }
    },
    message: (inner) => readMessage(wire, () => inner(reader)),
    ints: (into) => readRepeated(wire, into, VARINT, readVarint),
    floats: (into) => readRepeated(wire, into, FIXED32, readFloat),
    bigInts: (into) => readRepeated(wire, into, VARINT, readBigInt),
    broken: (problem) => brokenMessage(wire, problem),
  };
  return read(reader);
}

function readMessage<R>(wire: WireInput, inner: () => R): R {
  expectWireType(wire, LENGTH);
  if (++wire.depth > wire.limits.depth) {
    throw brokenMessage(wire, `messages are nested more than ${wire.limits.depth} deep`);
  }
  const result = withinMessage(wire, readLength(wire), inner);
  wire.type = TAKEN;
  wire.depth--;
  return result;
}

/** Appends the values of a repeated field: a single value, or a packed list. */
function readRepeated<V>(wire: WireInput, into: V[], single: number, one: (wire: WireInput) => V): void {
  if (wire.type === single) {
    wire.type = TAKEN;
    into.push(one(wire));
    return;
  }
  expectWireType(wire, LENGTH);
  withinMessage(wire, readLength(wire), () => {
    while (wire.at < wire.end) {
      countItem(wire);
      into.push(one(wire));
    }
  });
}
