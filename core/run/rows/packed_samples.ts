/** Samples packed for sending between threads: all numbers in one transferable buffer, everything else beside it. */
import type { Field, Named, PackedSamples, Sample } from "../../types.ts";

/** Type of a field's numbers, and their offset and count in the buffer, in words of 4 bytes. */
type Numbers = readonly [isFloat: boolean, start: number, count: number];

/** Packs samples by copying their numbers into one buffer. */
export function packSamples(samples: readonly Sample[]): PackedSamples {
  const numbers: Field["data"][] = [];
  let words = 0;
  const described = (fields: Named<Field>): Named<unknown> =>
    mapped(fields, (field) => {
      const { data } = field;
      numbers.push(data);
      words += data.length;
      return { ...field, data: [data instanceof Float32Array, words - data.length, data.length] satisfies Numbers };
    });
  const heads = samples.map((sample) => ({
    ...sample,
    sequences: sample.sequences.map((sequence) => ({ ...sequence, fields: described(sequence.fields) })),
    targets: described(sample.targets),
  }));
  const buffer = new ArrayBuffer(4 * words);
  let at = 0;
  for (const data of numbers) {
    const Type = data instanceof Float32Array ? Float32Array : Int32Array;
    new Type(buffer, at, data.length).set(data);
    at += data.byteLength;
  }
  return { heads, buffer };
}

/** Returns the samples of a packed message; their numbers are views of its buffer. */
export function unpackSamples({ heads, buffer }: PackedSamples): readonly Sample[] {
  const unpackFields = (fields: Named<Field>): Named<Field> =>
    mapped(fields, (field) => {
      const [isFloat, start, count] = field.data as unknown as Numbers;
      return { ...field, data: new (isFloat ? Float32Array : Int32Array)(buffer, 4 * start, count) };
    });
  return (heads as readonly Sample[]).map((head) => ({
    ...head,
    sequences: head.sequences.map((sequence) => ({ ...sequence, fields: unpackFields(sequence.fields) })),
    targets: unpackFields(head.targets),
  }));
}

/** Returns an object with `change` applied to each field. */
function mapped<A, B>(fields: Named<A>, change: (field: A) => B): Named<B> {
  const changed: Record<string, B> = {};
  for (const name of Object.keys(fields)) changed[name] = change(fields[name] as A);
  return changed;
}
