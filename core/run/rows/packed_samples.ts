/** Samples on their way between threads: numbers as buffers that change hands, all else beside them. */
import type { Field, Named, PackedSamples, Sample } from "../../types.ts";

/** Where a field's numbers stand in the buffer, in words, and whether they are of float32. */
type Numbers = readonly [isFloat: boolean, start: number, count: number];

/** Samples as they are sent. Their own numbers stay as they are. */
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

/** The samples that were sent. */
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

/** The same object with each field changed; what it has been given, it may change itself. */
function mapped<A, B>(fields: Named<A>, change: (field: A) => B): Named<B> {
  const changed: Record<string, B> = {};
  for (const name of Object.keys(fields)) changed[name] = change(fields[name] as A);
  return changed;
}
