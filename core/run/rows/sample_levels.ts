/** Samples that were encoded: in memory up to so many bytes, and on disk behind that where they are dear to encode. */
import type { Sample } from "../../types.ts";
import type { KeptSamples } from "./kept_samples.ts";
import { createSampleCache } from "./sample_cache.ts";

/** Where encoded samples are kept. */
export type SampleKeeping = Readonly<{
  /** Opens what was kept; undefined where keeping them does not pay. `isAgain`: all rows have passed once. */
  open(isAgain: boolean): Promise<KeptSamples | undefined>;
  /** How many rows there are. */
  rows: number;
  /** Milliseconds from which on encoding a row is dear. */
  dear?: number;
  /** Bytes that are kept in memory. */
  memoryBytes?: number;
}>;

/** Encoded samples, by their place. */
export type SampleLevels = Readonly<{
  /** Encodes a row; how long that takes says whether it is dear. */
  timed<T>(encode: () => T): T;
  /** Counts rows that were encoded elsewhere. */
  passed(rows: number): void;
  /** Milliseconds that encoding took here, and the rows that were encoded for it. */
  timing(): Readonly<{ elapsed: number; encoded: number }>;
  /** Those that are kept of some places. `fresh` encodes samples, by which it is judged what an earlier run has kept. */
  get(places: readonly number[], fresh: Fresh): Promise<ReadonlyMap<number, Sample>>;
  put(place: number, sample: Sample): Promise<void>;
  /** How many are kept. */
  count(): number;
  /** Writes down what waits to be. */
  flush(): Promise<void>;
}>;

type Fresh = (places: readonly number[]) => Promise<ReadonlyMap<number, Sample>>;

/** Bytes of samples that are kept in memory, of one data set. */
const KEPT_BYTES = 48 * 2 ** 20;

/** Milliseconds: what is encoded faster is not read faster than that. */
const DEAR = 0.5;

/** How many rows must have been encoded before it is said how long that takes. */
const TIMED = 256;

/** How many samples of an earlier run are encoded again, to see whether they still are the same. */
const CONFIRMED = 32;

/** Levels that are empty, or hold what earlier runs have kept. */
export function createSampleLevels(keeping: SampleKeeping | undefined): SampleLevels {
  const { dear = DEAR, memoryBytes = KEPT_BYTES } = keeping ?? {};
  const memory = createSampleCache(memoryBytes);
  let [elapsed, encoded, elsewhere, inMemory] = [0, 0, 0, 0];
  let opening: Promise<KeptSamples | undefined> | undefined;
  let wasAgain = false;
  let stored: KeptSamples | undefined;
  let confirming: Promise<void> | undefined;
  /** The samples on disk, where it pays to have them there. */
  const onDisk = async (): Promise<KeptSamples | undefined> => {
    if (!keeping || (dear > 0 && (encoded < TIMED || elapsed < dear * encoded))) return undefined;
    // Runs of one process that share these rows are further passes, which nobody has foretold.
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
