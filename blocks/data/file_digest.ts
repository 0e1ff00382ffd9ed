/** What a large file's bytes are, hashed whole once for as long as it stays the file that it is. */
import { cachedJson } from "../../core/data/cached.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { FilePlace } from "./text_file.ts";

/** Bytes that are hashed at once. */
const PIECE = 4 * 2 ** 20;

/** Smaller files are hashed faster than a cache is asked. */
const KEPT = 2 * PIECE;

/** Bytes at the end of a file that are hashed each time: where formats have their tables of contents. */
const END = 64 * 2 ** 10;

/** A file as it was opened: how large it is, which version of it, and its bytes. */
export type OpenedFile = Readonly<{
  size: number;
  revision: string;
  read(offset: number, length: number): Promise<Uint8Array>;
}>;

/**
 * The SHA-256 of each 4 MiB of a file. Those of a large one are kept in the cache of its host, by its path, its size, its
 * store's revision (on a disk its time and inode), and its last bytes.
 */
export async function digestsOf(place: FilePlace, { size, revision, read }: OpenedFile): Promise<readonly string[]> {
  const hashed = async (): Promise<string[]> => {
    const digests: string[] = [];
    for (let offset = 0; offset < size; offset += PIECE) {
      digests.push(await sha256(await read(offset, Math.min(PIECE, size - offset))));
    }
    return digests;
  };
  // Without a path two stores may have files of one name.
  if (!place.cache || place.path === undefined || size < KEPT) return await hashed();
  const end = await sha256(await read(size - END, END));
  return await cachedJson(place.cache, "digests", ["digests 1", place.path, size, revision, end], hashed);
}
