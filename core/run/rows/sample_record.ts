/** One encoded sample as bytes: a header, then JSON of everything but the numbers, then the numbers. */
import { isJson } from "../../data/cached.ts";
import { checksum } from "../../base/checksum.ts";
import type { Field, Named, Sample } from "../../types.ts";
import { jsonBytes } from "../../base/bytes.ts";

/** Bytes of the header: record size (4), checksum of everything after it (8), place (4), and size of the JSON (4). */
export const RECORD_HEAD = 20;

/** Bytes at the start that the checksum does not cover: the record size and the checksum itself. */
const UNCHECKED = 12;

/** Placeholder of numbers in the JSON: whether they are float32, and their count. */
type Numbers = readonly [isFloat: boolean, count: number];

/** Encodes a sample as a whole number of 4-byte words; undefined if JSON cannot represent the rest of it. */
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

/** Returns the size in bytes of the record that starts with `bytes`. */
export function recordSize(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Decodes the sample of a record; undefined if the record is damaged or belongs to another place. */
export function readRecord(bytes: Uint8Array, place: number): Sample | undefined {
  if (bytes.length < RECORD_HEAD || recordSize(bytes) !== bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sum = [4, 8].map((at) => view.getUint32(at, true).toString(16).padStart(8, "0")).join("");
  if (view.getUint32(12, true) !== place || checksum(bytes.subarray(UNCHECKED)) !== sum) return undefined;
  const length = view.getUint32(16, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(RECORD_HEAD, RECORD_HEAD + length)));
  // The copy is aligned for typed arrays, and does not keep the larger buffer alive.
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

/** Rounds a number of bytes up to whole words. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
