/**
 * Access to the records of a file of any size by number. One pass indexes where each block of some thousand bytes
 * begins, and counts the records; the index is kept in the user's cache.
 */
import { type AttuneError, badFile, badValue, refuseLfsPointer } from "../base/errors.ts";
import { sha256 } from "../base/sha256.ts";
import { readIndex, type RecordIndex, writeIndex } from "./record_index_file.ts";
import type { Store } from "../types.ts";

/** A file of records: its name in messages, its location, and its identity in the cache, such as its full path. */
export type RecordsPlace = Readonly<{ plugin: string; name: string; store: Store; key: string; identity: string }>;

/** The records of a file, by index from 0. */
export interface IndexedRecords<T> {
  readonly count: number;
  /** The file's digest: SHA-256 over the SHA-256 of each 4 MiB. */
  readonly fingerprint: string;
  /** The indices of some of the longest records. */
  readonly longest: readonly number[];
  at(numbers: readonly number[]): Promise<readonly T[]>;
  read(from: number): AsyncIterable<T>;
}

/** Notes a record: its offset in the file, its size in bytes, and the number that people find it by, as its line. */
export type NoteRecord = (begin: number, bytes: number, number: number) => void;

/** How a file is divided into records, and how these are read. */
export type RecordForm<R, T> = Readonly<{
  /** Identifies the form: the cached index depends on it and on the file. */
  id: string;
  /**
   * Starts a scan over all bytes, in order. `end` returns where the last record ends. Both functions throw AttuneError
   * if a record is invalid.
   */
  scan(note: NoteRecord): Readonly<{ push(bytes: Uint8Array, offset: number): void; end(size: number): number }>;
  /** Splits bytes that hold whole records; `number`: that of the first. */
  split(bytes: Uint8Array, number: number): readonly R[];
  /** Parses a record. */
  read(record: R): T;
}>;

/** Bytes per step of a scan, and per read when records are read in sequence. */
const [PIECE, READ] = [4 * 2 ** 20, 2 ** 20];

/** The fewest bytes of a block of records, and the most blocks of a file. */
const [BLOCK, BLOCKS] = [8 * 2 ** 10, 2 ** 18];

/** How many of the longest records are remembered, and how many blocks are read concurrently. */
const [LONGEST, TOGETHER] = [64, 16];

/**
 * Opens a file of records. Throws AttuneError if there is no such file, if it changes, or if a record is invalid.
 */
export async function openRecords<R, T>(
  place: RecordsPlace,
  cache: Store | undefined,
  form: RecordForm<R, T>,
): Promise<IndexedRecords<T>> {
  const { plugin, name, store, key, identity } = place;
  const file = await store.get(key, { offset: 0, length: 0 });
  if (!file) throw badFile(plugin, name, "does not exist");
  const { size, revision } = file;
  const parts = [form.id, identity, size, revision];
  const known = await readIndex(cache, parts);
  const index = known ?? await scan(place, size, revision, form);
  if (!known) await writeIndex(cache, parts, index);
  return recordsOf(place, index, revision, form);
}

function recordsOf<R, T>(
  { plugin, name, store, key }: RecordsPlace,
  { count, fingerprint, longest, end: size, firsts, offsets, numbers }: RecordIndex,
  revision: string,
  form: RecordForm<R, T>,
): IndexedRecords<T> {
  const blockOf = (record: number): number => {
    let [from, to] = [0, firsts.length - 1];
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((firsts[middle] ?? 0) <= record) from = middle;
      else to = middle - 1;
    }
    return from;
  };
  const rangeOf = (from: number, to: number): Readonly<{ offset: number; length: number }> => {
    const offset = offsets[from] ?? 0;
    return { offset, length: (offsets[to] ?? size) - offset };
  };
  /** Reads the records of consecutive blocks. */
  const read = async (from: number, to: number): Promise<readonly R[]> => {
    const piece = await store.get(key, rangeOf(from, to));
    if (piece?.revision !== revision) throw changed(plugin, name);
    return form.split(piece.bytes, numbers[from] ?? 1);
  };
  /** Reads the records of each of some blocks. */
  const readEach = async (blocks: readonly number[]): Promise<readonly (readonly R[])[]> => {
    if (!store.getRanges) return await Promise.all(blocks.map((block) => read(block, block + 1)));
    const ranges = await store.getRanges(key, blocks.map((block) => rangeOf(block, block + 1)));
    if (ranges?.revision !== revision) throw changed(plugin, name);
    return ranges.pieces.map((bytes, i) => form.split(bytes, numbers[blocks[i] ?? 0] ?? 1));
  };
  return {
    count,
    fingerprint,
    longest,
    at: async (numbers) => {
      const byBlock = new Map<number, number[]>();
      numbers.forEach((record, place) => {
        if (!Number.isInteger(record) || record < 0 || record >= count) {
          throw badValue(plugin, "row", record, `a row from 0 to ${count - 1}`);
        }
        const block = blockOf(record);
        const part = byBlock.get(block);
        if (part) part.push(place);
        else byBlock.set(block, [place]);
      });
      const records: T[] = new Array(numbers.length);
      const blocks = [...byBlock];
      for (let start = 0; start < blocks.length; start += TOGETHER) {
        const some = blocks.slice(start, start + TOGETHER);
        const read = await readEach(some.map(([block]) => block));
        some.forEach(([block, places], i) => {
          for (const place of places) {
            const record = read[i]?.[(numbers[place] ?? 0) - (firsts[block] ?? 0)];
            if (!record) throw changed(plugin, name);
            records[place] = form.read(record);
          }
        });
      }
      return records;
    },
    read: async function* (from) {
      if (from >= count) return;
      let block = blockOf(from);
      let skipped = from - (firsts[block] ?? 0);
      while (block < firsts.length) {
        let end = block + 1;
        while (end < firsts.length && (offsets[end] ?? 0) - (offsets[block] ?? 0) < READ) end++;
        for (const record of await read(block, end)) if (skipped-- <= 0) yield form.read(record);
        block = end;
      }
    },
  };
}

function changed(plugin: string, name: string): AttuneError {
  return badFile(plugin, name, "changed while it was read");
}

/** Indexes a file in one pass. */
async function scan<R, T>(
  { plugin, name, store, key }: RecordsPlace,
  size: number,
  revision: string,
  form: RecordForm<R, T>,
): Promise<RecordIndex> {
  const blockBytes = Math.max(BLOCK, Math.ceil(size / BLOCKS));
  const [firsts, offsets, numbers]: [number[], number[], number[]] = [[], [], []];
  const longest = createLongest();
  const digests: Promise<string>[] = [];
  let count = 0;
  const looking = form.scan((begin, bytes, number) => {
    if (offsets.length === 0 || begin - (offsets.at(-1) ?? 0) >= blockBytes) {
      firsts.push(count);
      offsets.push(begin);
      numbers.push(number);
    }
    longest.add(count++, bytes);
  });
  for (let offset = 0; offset < size; offset += PIECE) {
    const piece = await store.get(key, { offset, length: PIECE });
    if (piece?.revision !== revision) throw changed(plugin, name);
    const { bytes } = piece;
    if (offset === 0) refuseLfsPointer(plugin, name, bytes);
    // Hashed on another thread while this one looks for the ends of records.
    digests.push(sha256(bytes));
    looking.push(bytes, offset);
    // At most one piece ahead of the hashes, because each pending hash holds its bytes in memory.
    await digests.at(-2);
  }
  const end = looking.end(size);
  return {
    count,
    end,
    fingerprint: await sha256((await Promise.all(digests)).join()),
    longest: longest.numbers(),
    firsts: Float64Array.from(firsts),
    offsets: Float64Array.from(offsets),
    numbers: Float64Array.from(numbers),
  };
}

/** Remembers the numbers of the longest records. */
function createLongest(): Readonly<{ add(record: number, bytes: number): void; numbers(): number[] }> {
  let records: Readonly<{ record: number; bytes: number }>[] = [];
  let least = -1;
  const cut = (): void => {
    records = records.sort((a, b) => b.bytes - a.bytes || a.record - b.record).slice(0, LONGEST);
  };
  return {
    add: (record, bytes) => {
      if (bytes <= least) return;
      records.push({ record, bytes });
      if (records.length < 2 * LONGEST) return;
      cut();
      least = records.at(-1)?.bytes ?? -1;
    },
    numbers: () => {
      cut();
      return records.map(({ record }) => record);
    },
  };
}
