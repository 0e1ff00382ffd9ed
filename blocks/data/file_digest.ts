/** Digests of large files, cached for as long as the file does not change. */
import { cachedJson } from "../../core/data/cached.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { FilePlace } from "./text_file.ts";

/** Bytes per digest. */
const PIECE = 4 * 2 ** 20;

/** Smaller files are hashed faster than a cache is read. */
const KEPT = 2 * PIECE;

/** Bytes at the end of a file that are hashed each time: many formats have their index there. */
const END = 64 * 2 ** 10;

/** An open file: its size, its revision, and a function that reads its bytes. */
export type OpenedFile = Readonly<{
  size: number;
  revision: string;
  read(offset: number, length: number): Promise<Uint8Array>;
}>;

/**
 * Returns the SHA-256 of each 4 MiB of a file. The digests of a large file are kept in the host's cache, by path, size,
 * revision in the store (on a disk: time and inode), and last bytes.
 */
export async function digestsOf(place: FilePlace, { size, revision, read }: OpenedFile): Promise<readonly string[]> {
  const hashed = async (): Promise<string[]> => {
    const digests: string[] = [];
    for (let offset = 0; offset < size; offset += PIECE) {
      digests.push(await sha256(await read(offset, Math.min(PIECE, size - offset))));
    }
    return digests;
  };
  // Without a path, files of two stores may have the same name.
  if (!place.cache || place.path === undefined || size < KEPT) return await hashed();
  const end = await sha256(await read(size - END, END));
  return await cachedJson(place.cache, "digests", ["digests 1", place.path, size, revision, end], hashed);
}
