/** One encoded sample as bytes: its size, a checksum, its place, then all but the numbers as JSON, then these. */
import { isJson } from "../../data/cached.ts";
import { checksum } from "../../base/checksum.ts";
import type { Field, Named, Sample } from "../../types.ts";
import { jsonBytes } from "../../base/bytes.ts";

/** Bytes before the JSON: the size of all, the checksum of what follows it, the place, the size of the JSON. */
export const RECORD_HEAD = 20;

/** Bytes that the checksum does not count: the size and itself. */
const UNCHECKED = 12;

/** What stands in JSON for numbers: whether they are of float32, and how many there are. */
type Numbers = readonly [isFloat: boolean, count: number];

/** A sample as bytes, a whole number of words; undefined where it holds what JSON cannot. */
export function recordOf(place: number, sample: Sample): Uint8Array | undefined {
  const numbers: Field["data"][] = [];
  const described = (fields: Named<Field>): Named<unknown> =>
    mapped(fields, (field) => {
      numbers.push(field.data);
      return { ...field, data: [field.data instanceof Float32Array, field.data.length] satisfies Numbers };
    });
  const head = {
    ...sample,
    sequences: sample.sequences.map((sequence) => ({ ...sequence, fields: described(sequence.fields) })),
    targets: described(sample.targets),
  };
  if (!isJson(head)) return undefined;
  const json = jsonBytes(head);
  const size = numbers.reduce((n, data) => n + data.byteLength, RECORD_HEAD + padded(json.length));
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, size, true);
  view.setUint32(12, place, true);
  view.setUint32(16, json.length, true);
  bytes.set(json, RECORD_HEAD);
  let at = RECORD_HEAD + padded(json.length);
  for (const { buffer, byteOffset, byteLength } of numbers) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  const sum = checksum(bytes.subarray(UNCHECKED));
  view.setUint32(4, Number.parseInt(sum.slice(0, 8), 16), true);
  view.setUint32(8, Number.parseInt(sum.slice(8), 16), true);
  return bytes;
}

/** The bytes of the record that begins here. */
export function recordSize(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** The sample of a record; undefined if it is incomplete, or belongs to another index. */
export function readRecord(bytes: Uint8Array, place: number): Sample | undefined {
  if (bytes.length < RECORD_HEAD || recordSize(bytes) !== bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sum = [4, 8].map((at) => view.getUint32(at, true).toString(16).padStart(8, "0")).join("");
  if (view.getUint32(12, true) !== place || checksum(bytes.subarray(UNCHECKED)) !== sum) return undefined;
  const length = view.getUint32(16, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(RECORD_HEAD, RECORD_HEAD + length)));
  // A copy begins where numbers may, and lets go of what was read around them.
  const { buffer } = bytes.slice(RECORD_HEAD + padded(length));
  let at = 0;
  const unpackFields = (fields: Named<Record<string, unknown>>): Named<Field> =>
    mapped(fields, (field) => {
      const [isFloat, count] = field.data as Numbers;
      const data = new (isFloat ? Float32Array : Int32Array)(buffer, at, count);
      at += data.byteLength;
      return { ...field, data } as unknown as Field;
    });
  return {
    ...head,
    sequences: head.sequences.map((sequence: { fields: Named<Record<string, unknown>> }) => ({
      ...sequence,
      fields: unpackFields(sequence.fields),
    })),
    targets: unpackFields(head.targets),
  };
}

function mapped<A, B>(fields: Named<A>, change: (field: A) => B): Named<B> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, change(field)]));
}

/** Bytes up to a whole word. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
