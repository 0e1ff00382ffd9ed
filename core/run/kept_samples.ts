/**
 * Encoded samples on disk, for the passes and runs that come to the same rows again: read back faster than they are encoded,
 * where encoding is dear. What is torn, cut or gone is as if it had never been kept.
 * @module
 */
import { sha256 } from "../fingerprint.ts";
import type { Sample, Store } from "../types.ts";
import { type Block, createBlock, readTable } from "./sample_block.ts";
import { isSameRecord, readRecord, RECORD_HEAD, recordOf, recordSize } from "./sample_record.ts";

/** Encoded samples that are kept, by their place. */
export interface KeptSamples {
  /** How many there are. */
  readonly count: number;
  /** Places that were kept before: some of them, spread over all. */
  some(count: number): readonly number[];
  /** Those that are kept, of some places. */
  get(places: readonly number[]): Promise<ReadonlyMap<number, Sample>>;
  /** Keeps a sample, unless it is. */
  put(place: number, sample: Sample): Promise<void>;
  /** Forgets what was kept before, where these are not what it says. */
  confirm(samples: ReadonlyMap<number, Sample>): Promise<void>;
  /** Writes down what waits for a whole block. */
  flush(): Promise<void>;
}

/** How samples are kept. */
export type KeptOptions = Readonly<{
  cache: Store;
  /** All that the samples depend on. */
  parts: readonly unknown[];
  /** Bytes of a block, which is written at once. */
  blockBytes?: number;
  /** Bytes of all blocks together. */
  mostBytes?: number;
}>;

/** Bytes of a block; many are few files, and few are little to lose when a run is killed. */
const BLOCK = 8 * 2 ** 20;

/** Bytes that one data set's samples may take of the cache. */
const MOST = 4 * 2 ** 30;

/** What is read at once of a sample, whose length nobody has noted. */
const READ = 4096;

/** An address counts in words, so that 32 bits reach over all blocks. */
const WORD = 4;

/** Opens the samples that were kept of the same parts, by whatever process. */
export async function openKeptSamples(options: KeptOptions): Promise<KeptSamples> {
  const { cache, parts, blockBytes = BLOCK, mostBytes = MOST } = options;
  const folder = `samples/${await sha256(JSON.stringify(parts))}`;
  const wordsEach = blockBytes / WORD;
  const mostBlocks = Math.min(Math.floor(mostBytes / blockBytes), Math.floor((2 ** 32 - 1) / wordsEach));
  const addresses = createAddresses();
  const keys: string[] = [];
  let isFull = false;
  const addBlock = (key: string, table: ReadonlyMap<number, number>): void => {
    const number = keys.push(key) - 1;
    for (const [place, offset] of table) addresses.set(place, number * wordsEach + offset / WORD);
  };
  for (const key of await keysIn(cache, folder)) {
    const table = keys.length < mostBlocks ? await readTable(cache, key, blockBytes).catch(() => undefined) : undefined;
    if (table) addBlock(key, table);
  }
  let before = keys.length;
  let block: Block = createBlock(blockBytes);
  /** What is being written. */
  let written: Block | undefined;
  let writing: Promise<void> = Promise.resolve();

  const write = async (full: Block): Promise<void> => {
    const bytes = await full.bytes();
    const key = `${folder}/${(await sha256(bytes)).slice(0, 32)}`;
    await cache.put(key, bytes, { if: null });
    addBlock(key, full.table);
    written = undefined;
  };
  /** Begins a block, behind the one before: there are two in memory at most. */
  const turn = async (): Promise<void> => {
    if (block.table.size === 0) return;
    await writing;
    const full = block;
    block = createBlock(blockBytes);
    written = full;
    // A disk that is full: what is there serves, and no more is tried.
    writing = write(full).catch(() => {
      isFull = true;
      written = undefined;
    });
  };
  const recordOn = async (address: number): Promise<Uint8Array | undefined> => {
    const key = keys[Math.floor(address / wordsEach)] ?? "";
    const offset = address % wordsEach * WORD;
    const read = async (length: number) => (await cache.get(key, { offset, length }))?.bytes;
    const first = await read(READ);
    if (!first || first.length < RECORD_HEAD) return undefined;
    const size = recordSize(first);
    if (size > blockBytes) return undefined;
    return size <= first.length ? first.subarray(0, size) : await read(size);
  };
  const recordAt = async (place: number): Promise<Uint8Array | undefined> => {
    const waiting = block.get(place) ?? written?.get(place);
    const address = addresses.get(place);
    return waiting ?? (address === undefined ? undefined : await recordOn(address).catch(() => undefined));
  };
  return {
    get count() {
      return addresses.count() + block.table.size + (written?.table.size ?? 0);
    },
    some: (count) => (before > 0 ? addresses.some(count) : []),
    get: async (places) => {
      const ready = new Map<number, Sample>();
      await Promise.all([...new Set(places)].map(async (place) => {
        const record = await recordAt(place);
        const sample = record && readRecord(record, place);
        if (sample) ready.set(place, sample);
        else addresses.delete(place);
      }));
      return ready;
    },
    put: async (place, sample) => {
      if (isFull || addresses.has(place) || block.get(place) || written?.get(place)) return;
      const record = recordOf(place, sample);
      // A collator whose samples hold what JSON cannot: the others of its samples will, too.
      if (!record) isFull = true;
      if (!record || record.length > blockBytes) return;
      if (!block.hasRoom(record)) {
        await turn();
        isFull ||= keys.length + 1 >= mostBlocks;
      }
      if (!isFull) block.add(place, record);
    },
    confirm: async (samples) => {
      for (const [place, sample] of samples) {
        const record = await recordAt(place);
        const fresh = record && recordOf(place, sample);
        if (!record || !readRecord(record, place) || (fresh && isSameRecord(record, fresh))) continue;
        addresses.clear();
        const old = keys.slice(0, before);
        before = 0;
        await Promise.all(old.map((key) => cache.delete(key).catch(() => {})));
        return;
      }
    },
    flush: async () => {
      if (!isFull) await turn();
      await writing;
    },
  };
}

async function keysIn(cache: Store, folder: string): Promise<string[]> {
  const keys: string[] = [];
  try {
    for await (const { key } of cache.list(`${folder}/`)) keys.push(key);
  } catch {
    // What cannot be listed is not there.
  }
  return keys;
}

/** Where samples are, by their place: four bytes for each place up to the last. */
type Addresses = Readonly<{
  count(): number;
  has(place: number): boolean;
  get(place: number): number | undefined;
  set(place: number, address: number): void;
  delete(place: number): void;
  clear(): void;
  some(count: number): readonly number[];
}>;

function createAddresses(): Addresses {
  // One more than the address: 0 is none.
  let words = new Uint32Array(1024);
  let count = 0;
  return {
    count: () => count,
    has: (place) => (words[place] ?? 0) > 0,
    get: (place) => words[place] ? (words[place] ?? 0) - 1 : undefined,
    set: (place, address) => {
      if (place >= words.length) {
        const longer = new Uint32Array(Math.max(place + 1, 2 * words.length));
        longer.set(words);
        words = longer;
      }
      if (!words[place]) count++;
      words[place] = address + 1;
    },
    delete: (place) => {
      if (!words[place]) return;
      words[place] = 0;
      count--;
    },
    clear: () => {
      words.fill(0);
      count = 0;
    },
    some: (count) => {
      const step = Math.max(1, Math.floor(words.length / count / 4));
      const places: number[] = [];
      for (let from = 0; from < words.length && places.length < count; from += step) {
        const place = words.subarray(from, from + step).findIndex((word) => word > 0);
        if (place >= 0) places.push(from + place);
      }
      return places;
    },
  };
}
