/** Encoded samples in memory, up to so many bytes. */
import type { Sample } from "../../types.ts";

/** Samples by their index. */
export type SampleCache = Readonly<{
  get(place: number): Sample | undefined;
  /** Says whether it has room for the sample, or has it already. */
  put(place: number, sample: Sample): boolean;
}>;

/** Bytes that a sample takes, and each of its fields, besides the values; as measured on Node. */
const [SAMPLE_BYTES, FIELD_BYTES] = [400, 250];

/**
 * Keeps what comes first, until it is full: every epoch takes every sample once, in another order, so that what makes
 * room for others would be gone before it is asked for again.
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
