/** A two-level cache of encoded samples: a limited amount in memory, and further ones on disk if encoding is slow. */
import type { Sample } from "../../types.ts";
import type { KeptSamples } from "./kept_samples.ts";
import { createSampleCache } from "./sample_cache.ts";

/** The disk cache of encoded samples. */
export type SampleKeeping = Readonly<{
  /** Opens the samples on disk; undefined if that is not worthwhile. `isAgain`: all rows have been read once. */
  open(isAgain: boolean): Promise<KeptSamples | undefined>;
  /** Number of rows. */
  rows: number;
  /** Milliseconds per row from which encoding counts as slow. */
  dear?: number;
  /** Bytes of samples to keep in memory. */
  memoryBytes?: number;
}>;

/** Cached samples, by their place. */
export type SampleLevels = Readonly<{
  /** Encodes a row and measures the time, which decides whether encoding counts as slow. */
  timed<T>(encode: () => T): T;
  /** Counts rows that another thread has encoded. */
  passed(rows: number): void;
  /** Returns the milliseconds that encoding took on this thread, and the number of rows encoded in that time. */
  timing(): Readonly<{ elapsed: number; encoded: number }>;
  /** Returns the cached samples at some places. `fresh` encodes samples again, to check those of an earlier run. */
  get(places: readonly number[], fresh: Fresh): Promise<ReadonlyMap<number, Sample>>;
  put(place: number, sample: Sample): Promise<void>;
  /** Returns the number of cached samples. */
  count(): number;
  /** Writes pending samples to disk. */
  flush(): Promise<void>;
}>;

type Fresh = (places: readonly number[]) => Promise<ReadonlyMap<number, Sample>>;

/** Bytes of one data set's samples that are kept in memory. */
const KEPT_BYTES = 48 * 2 ** 20;

/** Milliseconds per row below which reading a sample from disk is no faster than encoding it. */
const DEAR = 0.5;

/** Rows to encode before the time per row is judged. */
const TIMED = 256;

/** Number of samples of an earlier run that are encoded again, to check that they are still the same. */
const CONFIRMED = 32;

/** Creates a cache that is empty in memory and has the samples of earlier runs on disk. */
export function createSampleLevels(keeping: SampleKeeping | undefined): SampleLevels {
  const { dear = DEAR, memoryBytes = KEPT_BYTES } = keeping ?? {};
  const memory = createSampleCache(memoryBytes);
  let [elapsed, encoded, elsewhere, inMemory] = [0, 0, 0, 0];
  let opening: Promise<KeptSamples | undefined> | undefined;
  let wasAgain = false;
  let stored: KeptSamples | undefined;
  let confirming: Promise<void> | undefined;
  /** Returns the samples on disk, if keeping them there is worthwhile. */
  const onDisk = async (): Promise<KeptSamples | undefined> => {
    if (!keeping || (dear > 0 && (encoded < TIMED || elapsed < dear * encoded))) return undefined;
    // Several runs of a process may share these rows, so more passes may happen than this run announced.
    const isAgain = encoded + elsewhere > keeping.rows;
    if (!opening || (isAgain && !wasAgain && !stored)) opening = keeping.open(isAgain).catch(() => undefined);
    wasAgain = isAgain;
    return stored = await opening;
  };
  return {
    timed: (encode) => {
      const begun = performance.now();
      const samples = encode();
      elapsed += performance.now() - begun;
      encoded++;
      return samples;
    },
    passed: (rows) => void (elsewhere += rows),
    timing: () => ({ elapsed, encoded }),
    get: async (places, fresh) => {
      const ready = new Map<number, Sample>();
      for (const place of places) {
        const sample = memory.get(place);
        if (sample) ready.set(place, sample);
      }
      const others = places.filter((place) => !ready.has(place));
      const disk = others.length > 0 ? await onDisk() : undefined;
      if (!disk) return ready;
      await (confirming ??= confirmed(disk, fresh));
      for (const [place, sample] of await disk.get(others)) ready.set(place, sample);
      return ready;
    },
    put: async (place, sample) => {
      if (memory.get(place)) return;
      if (memory.put(place, sample)) inMemory++;
      else await (await onDisk())?.put(place, sample);
    },
    count: () => inMemory + (stored?.count ?? 0),
    flush: async () => await stored?.flush(),
  };
}

async function confirmed(disk: KeptSamples, fresh: Fresh): Promise<void> {
  const places = disk.some(CONFIRMED);
  if (places.length > 0) await disk.confirm(await fresh(places));
}
