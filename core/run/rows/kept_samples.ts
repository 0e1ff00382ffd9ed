/**
 * Encoded samples on disk, for later passes and runs over the same rows, if encoding is slower than reading them back.
 * Damaged, truncated or deleted files count as never written.
 */
import { sha256 } from "../../base/sha256.ts";
import type { Sample, Store } from "../../types.ts";
import { type Addresses, createAddresses } from "./sample_addresses.ts";
import { type Block, createBlock, readTable } from "./sample_block.ts";
import { readRecord, RECORD_HEAD, recordOf, recordSize } from "./sample_record.ts";
import { equalBytes } from "../../base/bytes.ts";

/** Encoded samples on disk, by their place. */
export interface KeptSamples {
  /** Number of samples. */
  readonly count: number;
  /** Returns some places of samples from earlier runs, spread over all. */
  some(count: number): readonly number[];
  /** Returns the samples at some places, as far as they are kept. */
  get(places: readonly number[]): Promise<ReadonlyMap<number, Sample>>;
  /** Keeps a sample, unless its place is already kept. */
  put(place: number, sample: Sample): Promise<void>;
  /** Deletes the samples of earlier runs if one of them differs from the given, newly encoded sample. */
  confirm(samples: ReadonlyMap<number, Sample>): Promise<void>;
  /** Writes the samples of the unfinished block to disk. */
  flush(): Promise<void>;
}

/** Options of keeping samples. */
export type KeptOptions = Readonly<{
  cache: Store;
  /** Everything that the samples depend on. */
  parts: readonly unknown[];
  /** Bytes of a block, which is written in one piece. */
  blockBytes?: number;
  /** Bytes of all blocks together. */
  mostBytes?: number;
}>;

/** Bytes of a block. Large blocks make fewer files; small ones lose less when a run is killed. */
const BLOCK = 8 * 2 ** 20;

/** Bytes that one data set's samples may take in the cache. */
const MOST = 4 * 2 ** 30;

/** Bytes of the first read of a sample, whose size is only known from its own header. */
const READ = 4096;

/** Bytes of a word: addresses count words, so that 32 bits cover all blocks. */
const WORD = 4;

/** Opens the samples that this or other processes have kept for the same parts. */
export async function openKeptSamples(options: KeptOptions): Promise<KeptSamples> {
  const { blockBytes = BLOCK } = options;
  const blocks = await openBlocks(options, blockBytes);
  let block: Block = createBlock(blockBytes);
  /** The block that is being written. */
  let lastBlock: Block | undefined;
  let writing: Promise<void> = Promise.resolve();
  let isFull = false;
  /** Starts a new block once the previous one is written, so that at most two are in memory. */
  const turn = async (): Promise<void> => {
    if (block.table.size === 0) return;
    const full = block;
    await writing;
    // If several callers waited, the first has already started the new block.
    if (block !== full) return;
    [block, lastBlock] = [createBlock(blockBytes), full];
    // If the disk is full, existing samples stay in use, and no more are written.
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
      // If JSON cannot represent one sample, it will not represent the collator's other samples either.
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

/** The blocks on disk. */
type Blocks = Readonly<{
  addresses: Addresses;
  /** Whether there is room for another block beside the one being written. */
  hasRoom(): boolean;
  /** Returns the bytes of a place's record, which may be incomplete. */
  record(place: number): Promise<Uint8Array | undefined>;
  write(block: Block): Promise<void>;
  /** Returns places of samples that existed when the blocks were opened. */
  some(count: number): readonly number[];
  /** Deletes the blocks that existed at opening, and forgets all addresses. */
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
    // A folder that cannot be listed counts as empty.
  }
  return keys;
}
