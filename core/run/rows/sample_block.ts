/**
 * The file format of a block of encoded samples: records, a table of their offsets, its digest, and the record count.
 */
import { copyBytes, joinBytes } from "../../base/bytes.ts";
import { sha256 } from "../../base/sha256.ts";
import type { Store } from "../../types.ts";

/** Bytes of the digest in hexadecimal, and of the record count after it. */
const [DIGEST, COUNT] = [64, 4];

/** A block that is being filled. */
export type Block = Readonly<{
  /** Offset of each place's record, in bytes. */
  table: ReadonlyMap<number, number>;
  /** Returns the record of a place, if the block has it. */
  get(place: number): Uint8Array | undefined;
  hasRoom(record: Uint8Array): boolean;
  add(place: number, record: Uint8Array): void;
  bytes(): Promise<Uint8Array>;
}>;

/** Creates an empty block for at most `most` bytes of records. */
export function createBlock(most: number): Block {
  const table = new Map<number, number>();
  const records = new Map<number, Uint8Array>();
  let size = 0;
  return {
    table,
    get: (place) => records.get(place),
    hasRoom: (record) => size + record.length <= most,
    add: (place, record) => {
      table.set(place, size);
      records.set(place, record);
      size += record.length;
    },
    bytes: async () => {
      const words = Uint32Array.from([...table.keys(), ...table.values()]);
      const bytes = new Uint8Array(words.buffer);
      const tail = [new TextEncoder().encode(await sha256(bytes)), new Uint8Array(Uint32Array.of(table.size).buffer)];
      return joinBytes([...records.values(), bytes, ...tail]);
    },
  };
}

/** Reads the table of a block from the cache; undefined if the block is incomplete. */
export async function readTable(
  cache: Store,
  key: string,
  most: number,
): Promise<ReadonlyMap<number, number> | undefined> {
  const size = (await cache.get(key, { offset: 0, length: 0 }))?.size ?? 0;
  const end = size - DIGEST - COUNT;
  if (end < 0) return undefined;
  const tail = (await cache.get(key, { offset: end, length: DIGEST + COUNT }))?.bytes;
  if (tail?.length !== DIGEST + COUNT) return undefined;
  const count = new DataView(tail.buffer, tail.byteOffset).getUint32(DIGEST, true);
  const start = end - 8 * count;
  if (start < 0 || start > most) return undefined;
  const bytes = (await cache.get(key, { offset: start, length: 8 * count }))?.bytes;
  if (bytes?.length !== 8 * count) return undefined;
  if (await sha256(bytes) !== new TextDecoder().decode(tail.subarray(0, DIGEST))) return undefined;
  const words = new Uint32Array(copyBytes(bytes).buffer);
  return new Map(Array.from({ length: count }, (_, i) => [words[i] ?? 0, words[count + i] ?? 0]));
}
