/** Encoded samples in memory, up to a number of bytes. */
import type { Sample } from "../../types.ts";

/** Samples by their place. */
export type SampleCache = Readonly<{
  get(place: number): Sample | undefined;
  /** Adds a sample; returns false if there is no room for it. */
  put(place: number, sample: Sample): boolean;
}>;

/** Bytes of a sample and of each field beside its values, as measured on Node. */
const [SAMPLE_BYTES, FIELD_BYTES] = [400, 250];

/**
 * Creates a cache that keeps the first samples and never evicts: every epoch reads each sample once in another order,
 * so an evicted sample would be gone before it is needed again.
 */
export function createSampleCache(bytes: number): SampleCache {
  const samples = new Map<number, Sample>();
  let left = bytes;
  return {
    get: (place) => samples.get(place),
    put: (place, sample) => {
      if (left <= 0 || samples.has(place)) return samples.has(place);
      left -= bytesOf(sample);
      samples.set(place, sample);
      return true;
    },
  };
}

function bytesOf({ sequences, targets }: Sample): number {
  const fields = [...sequences.flatMap((s) => Object.values(s.fields)), ...Object.values(targets)];
  return fields.reduce((n, { data }) => n + FIELD_BYTES + data.byteLength, SAMPLE_BYTES);
}
