/**
 * The wire format of Protocol Buffers: a cursor over the input, and functions that read numbers, lengths and tags.
 */
import { type AttuneError, badFile } from "../base/errors.ts";

/** The limits of a reader: bytes of input, total fields and packed values, depth of nested messages. */
export type ProtoLimits = Readonly<{ bytes: number; items: number; depth: number }>;

/** Types of values on the wire; `TAKEN`: the field's value was read. */
export const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5, TAKEN = -1;

/** A cursor over the input. */
export type WireInput = {
  readonly plugin: string;
  readonly input: Uint8Array;
  readonly view: DataView;
  readonly limits: ProtoLimits;
  at: number;
  /** End of the message that is being read. */
  end: number;
  items: number;
  depth: number;
  field: number;
  /** The type of the field's value. */
  type: number;
  /** The 32-bit halves of the last number read. */
  low: number;
  high: number;
};

const TWO_32 = 2 ** 32;

/** Creates a cursor before the first field. */
export function wireInput(plugin: string, input: Uint8Array, limits: ProtoLimits): WireInput {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const start = { at: 0, end: input.length, items: 0, depth: 0, field: 0, type: TAKEN, low: 0, high: 0 };
  return { plugin, input, view, limits, ...start };
}

/** Returns an error that names the current byte. */
export function brokenMessage(wire: WireInput, problem: string): AttuneError {
  return badFile(wire.plugin, `Byte ${wire.at}`, problem);
}

/** Counts a field or a packed value. Throws AttuneError above the limit. */
export function countItem(wire: WireInput): void {
  if (++wire.items > wire.limits.items) throw brokenMessage(wire, `more than ${wire.limits.items} fields and values`);
}

function need(wire: WireInput, bytes: number, what: string): void {
  const left = wire.end - wire.at;
  if (bytes > left) throw brokenMessage(wire, `${what} takes ${bytes} bytes but ${left} are left`);
}

/** Reads one number of up to 64 bits into `low` and `high`. */
function readWord(wire: WireInput): void {
  let [low, high] = [0, 0];
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = wire.at < wire.end ? wire.input[wire.at] : undefined;
    if (byte === undefined) throw brokenMessage(wire, "the data ends within a number");
    if (shift === 63 && byte > 1) throw brokenMessage(wire, "a number has more than 64 bits");
    wire.at++;
    const bits = byte & 127;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= bits << (shift - 32);
    if (byte < 128) break;
  }
  wire.low = low;
  wire.high = high;
}

/** Reads a signed number within ±2^53. */
export function readVarint(wire: WireInput): number {
  readWord(wire);
  const value = (wire.high | 0) * TWO_32 + (wire.low >>> 0);
  if (!Number.isSafeInteger(value)) throw brokenMessage(wire, "a number is not within ±2^53");
  return value;
}

/** Reads a signed 64-bit number. */
export function readBigInt(wire: WireInput): bigint {
  readWord(wire);
  return (BigInt(wire.high | 0) << 32n) | BigInt(wire.low >>> 0);
}

/** Reads a 32-bit float. */
export function readFloat(wire: WireInput): number {
  need(wire, 4, "a float");
  wire.at += 4;
  return wire.view.getFloat32(wire.at - 4, true);
}

/** Reads the length of the field's value, and checks that the input has that many bytes left. */
export function readLength(wire: WireInput): number {
  const bytes = readVarint(wire);
  if (bytes < 0) throw brokenMessage(wire, `field ${wire.field} has a length of ${bytes}`);
  need(wire, bytes, `field ${wire.field}`);
  return bytes;
}

/** Reads the field's value as a view of the input. */
export function readBytes(wire: WireInput): Uint8Array {
  expectWireType(wire, LENGTH);
  const size = readLength(wire);
  wire.at += size;
  return wire.input.subarray(wire.at - size, wire.at);
}

/** Checks the wire type of the field's value, and marks the value as read. */
export function expectWireType(wire: WireInput, expected: number): void {
  if (wire.type !== expected) {
    throw brokenMessage(wire, `field ${wire.field} has wire type ${wire.type} where ${expected} is expected`);
  }
  wire.type = TAKEN;
}

/** Calls `inner` with the input limited to the next `size` bytes, and continues after them. */
export function withinMessage<R>(wire: WireInput, size: number, inner: () => R): R {
  const outer = wire.end;
  wire.end = wire.at + size;
  const result = inner();
  wire.at = wire.end;
  wire.end = outer;
  return result;
}

/** Returns the number of the next field, or 0 after the last; an unread value is skipped. */
export function nextField(wire: WireInput): number {
  if (wire.type !== TAKEN) skip(wire);
  wire.type = TAKEN;
  if (wire.at >= wire.end) return 0;
  countItem(wire);
  const tag = readVarint(wire);
  wire.field = Math.floor(tag / 8);
  if (tag >= TWO_32 || wire.field < 1) throw brokenMessage(wire, `${tag} is not the tag of a field`);
  const type = tag % 8;
  wire.type = type;
  if (type !== VARINT && type !== FIXED64 && type !== LENGTH && type !== FIXED32) {
    throw brokenMessage(wire, `field ${wire.field} has wire type ${type}; allowed are 0, 1, 2 and 5`);
  }
  return wire.field;
}

function skip(wire: WireInput): void {
  if (wire.type === VARINT) return readWord(wire);
  const size = wire.type === LENGTH ? readLength(wire) : wire.type === FIXED64 ? 8 : 4;
  need(wire, size, `field ${wire.field}`);
  wire.at += size;
}
