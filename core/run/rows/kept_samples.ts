/**
 * Encoded samples on disk, for the passes and runs that come to the same rows again: read back faster than they are encoded,
 * where encoding is dear. What is torn, cut or gone is as if it had never been kept.
 */
import { sha256 } from "../../base/sha256.ts";
import type { Sample, Store } from "../../types.ts";
import { type Addresses, createAddresses } from "./sample_addresses.ts";
import { type Block, createBlock, readTable } from "./sample_block.ts";
import { readRecord, RECORD_HEAD, recordOf, recordSize } from "./sample_record.ts";
import { equalBytes } from "../../base/bytes.ts";

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
  const { blockBytes = BLOCK } = options;
  const blocks = await openBlocks(options, blockBytes);
  let block: Block = createBlock(blockBytes);
  /** What is being written. */
  let lastBlock: Block | undefined;
  let writing: Promise<void> = Promise.resolve();
  let isFull = false;
  /** Begins a block, behind the one before: there are two in memory at most. */
  const turn = async (): Promise<void> => {
    if (block.table.size === 0) return;
    const full = block;
    await writing;
    // Of several that wait the first has begun it.
    if (block !== full) return;
    [block, lastBlock] = [createBlock(blockBytes), full];
    // A disk that is full: what is there serves, and no more is tried.
    writing = blocks.write(full).catch(() => {
      isFull = true;
    }).then(() => {
      lastBlock = undefined;
    });
  };
  const recordAt = async (place: number): Promise<Uint8Array | undefined> =>
    block.get(place) ?? lastBlock?.get(place) ?? await blocks.record(place);
  return {
    get count() {
      return blocks.addresses.count() + block.table.size + (lastBlock?.table.size ?? 0);
    },
    some: blocks.some,
    get: async (places) => {
      const ready = new Map<number, Sample>();
      await Promise.all([...new Set(places)].map(async (place) => {
        const record = await recordAt(place);
        const sample = record && readRecord(record, place);
        if (sample) ready.set(place, sample);
        else blocks.addresses.delete(place);
      }));
      return ready;
    },
    put: async (place, sample) => {
      if (isFull || blocks.addresses.has(place) || block.get(place) || lastBlock?.get(place)) return;
      const record = recordOf(place, sample);
      // A collator whose samples hold what JSON cannot: the others of its samples will, too.
      if (!record) isFull = true;
      if (!record || record.length > blockBytes) return;
      if (!block.hasRoom(record)) {
        await turn();
        isFull ||= !blocks.hasRoom();
      }
      if (!isFull) block.add(place, record);
    },
    confirm: async (samples) => {
      for (const [place, sample] of samples) {
        const record = await recordAt(place);
        const fresh = record && recordOf(place, sample);
        if (!record || !readRecord(record, place) || (fresh && equalBytes(record, fresh))) continue;
        return await blocks.forget();
      }
    },
    flush: async () => {
      if (!isFull) await turn();
      await writing;
    },
  };
}

/** The blocks that are on disk. */
type Blocks = Readonly<{
  addresses: Addresses;
  /** Whether there may be another, besides one that is being written. */
  hasRoom(): boolean;
  /** The bytes of a place's record, whole or not. */
  record(place: number): Promise<Uint8Array | undefined>;
  write(block: Block): Promise<void>;
  /** Places of what was there when they were opened. */
  some(count: number): readonly number[];
  /** Removes what was there when they were opened. */
  forget(): Promise<void>;
}>;

async function openBlocks({ cache, parts, mostBytes = MOST }: KeptOptions, blockBytes: number): Promise<Blocks> {
  const folder = `samples/${await sha256(JSON.stringify(parts))}`;
  const wordsEach = blockBytes / WORD;
  const most = Math.min(Math.floor(mostBytes / blockBytes), Math.floor((2 ** 32 - 1) / wordsEach));
  const addresses = createAddresses();
  const keys: string[] = [];
  const add = (key: string, table: ReadonlyMap<number, number>): void => {
    const number = keys.push(key) - 1;
    for (const [place, offset] of table) addresses.set(place, number * wordsEach + offset / WORD);
  };
  for (const key of await keysIn(cache, folder)) {
    const table = keys.length < most ? await readTable(cache, key, blockBytes).catch(() => undefined) : undefined;
    if (table) add(key, table);
  }
  let before = [...keys];
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
  return {
    addresses,
    hasRoom: () => keys.length + 1 < most,
    record: async (place) => {
      const address = addresses.get(place);
      return address === undefined ? undefined : await recordOn(address).catch(() => undefined);
    },
    write: async (block) => {
      const bytes = await block.bytes();
      const key = `${folder}/${(await sha256(bytes)).slice(0, 32)}`;
      await cache.put(key, bytes, { if: null });
      add(key, block.table);
    },
    some: (count) => (before.length > 0 ? addresses.some(count) : []),
    forget: async () => {
      addresses.clear();
      const old = before;
      before = [];
      await Promise.all(old.map((key) => cache.delete(key).catch(() => {})));
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
