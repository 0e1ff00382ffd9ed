/** Reading of a directory's keys: the newest version of each. */
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { AttuneError, storeFailed } from "../../core/base/errors.ts";
import type { StoredObject } from "../../core/types.ts";
import { type Directory, pathOf, realPath } from "./directory.ts";
import { DELETED, fileOfGenerations, isReserved } from "./generations.ts";
import { absent, withStoreErrors } from "./system_errors.ts";
import { equalBytes } from "../../core/base/bytes.ts";

/** One read call moves at most 2 GiB. */
const MAX_READ = 2 ** 30;

/** The newest version of a key: its real path, and its number if the key was ever put conditionally. */
type Version = Readonly<{ path: string; number: number; stored: StoredObject }>;

/** Returns the newest version of a key; undefined if there is none, or it marks the key as deleted. */
async function newestOf(directory: Directory, key: string): Promise<Version | undefined> {
  const { files: { open, stat }, generations } = directory;
  for (;;) {
    const number = await generations.newest(pathOf(directory, key));
    const path = await realPath(directory, key, generations.at(pathOf(directory, key), number));
    const info = path === undefined ? undefined : await stat(path).catch(absent);
    // Two newer versions were made meanwhile.
    if (!info && number > 0) continue;
    if (!info?.isFile() || path === undefined) return undefined;
    if (number === 0 || info.size !== DELETED.length) return { path, number, stored: storedOf(key, info, number) };
    const file = await open(path, "r").catch(absent);
    try {
      if (!file) continue;
      return equalBytes(await readAt(file, 0, DELETED.length), DELETED)
        ? undefined
        : { path, number, stored: storedOf(key, info, number) };
    } finally {
      await file?.close();
    }
  }
}

/** Returns a key's size and revision without reading its bytes; undefined if there is no such key. */
export async function statKey(directory: Directory, key: string): Promise<StoredObject | undefined> {
  return (await newestOf(directory, key))?.stored;
}

type Range = Readonly<{ offset: number; length: number }>;

/** Reads the bytes of a key, or a range of them. */
export async function readKey(
  directory: Directory,
  key: string,
  range: Range = { offset: 0, length: Infinity },
): Promise<(StoredObject & { bytes: Uint8Array }) | undefined> {
  const ranges = await readRanges(directory, key, [range]);
  if (!ranges) return undefined;
  const { pieces: [bytes = new Uint8Array(0)], ...stored } = ranges;
  return { ...stored, bytes };
}

/** Reads several ranges of the same version of a key. */
export async function readRanges(
  directory: Directory,
  key: string,
  ranges: readonly Range[],
): Promise<(StoredObject & { pieces: readonly Uint8Array[] }) | undefined> {
  for (;;) {
    const version = await newestOf(directory, key);
    if (!version) return undefined;
    const file = await directory.files.open(version.path, "r").catch(absent);
    // The version was removed, or newer ones were made, in the meantime.
    if (!file) continue;
    try {
      const stored = storedOf(key, await file.stat(), version.number);
      const pieces = ranges.map(({ offset, length }) => {
        const from = Math.min(offset, stored.size);
        return readAt(file, from, Math.min(length, stored.size - from));
      });
      // All reads must end before the file is closed.
      await Promise.allSettled(pieces);
      return { ...stored, pieces: await Promise.all(pieces) };
    } finally {
      await file.close();
    }
  }
}

/** Returns the path of a key's file. Throws AttuneError if there is none. */
export async function locateKey(directory: Directory, key: string): Promise<string> {
  const version = await newestOf(directory, key);
  if (!version) throw storeFailed("directory", key, "does not exist");
  return version.path;
}

/** Lists keys in order, depth first with folders sorted as "name/", without reading folders outside the prefix. */
export async function* keysBelow(directory: Directory, prefix: string, folder = ""): AsyncIterable<string> {
  const read = () => directory.files.readdir(join(directory.root, folder), { withFileTypes: true }).catch(absent);
  const entries = await withStoreErrors(folder, read) ?? [];
  const names = new Set(entries.flatMap((entry) => {
    if (!isReserved(entry.name)) return [folder + entry.name + (entry.isDirectory() ? "/" : "")];
    const versions = entry.isDirectory() ? fileOfGenerations(entry.name) : undefined;
    return versions === undefined ? [] : [folder + versions];
  }));
  for (const key of [...names].sort()) {
    if (!key.endsWith("/")) {
      if (key.startsWith(prefix)) yield key;
    } else if (key.startsWith(prefix) || prefix.startsWith(key)) yield* keysBelow(directory, prefix, key);
  }
}

/** Lists sizes and revisions of all keys below a prefix. */
export async function* listKeys(directory: Directory, prefix: string): AsyncIterable<StoredObject> {
  for await (const key of keysBelow(directory, prefix)) {
    // Links that lead outside and files that have just been removed are skipped.
    const info = await withStoreErrors(key, () => statKey(directory, key).catch(notAKey));
    if (info) yield info;
  }
}

/** Returns a file's size and revision. `number`: of a version that was put conditionally. */
export function storedOf(key: string, info: { size: number; mtimeMs: number; ino: number }, number = 0): StoredObject {
  const { size, mtimeMs, ino } = info;
  return { key, size, revision: number > 0 ? revisionOf(number) : `${size}-${Math.round(mtimeMs * 1000)}-${ino}` };
}

/** Returns the revision of a version. */
export function revisionOf(number: number): string {
  return `version-${number}`;
}

async function readAt(file: FileHandle, from: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, length));
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, Math.min(bytes.length - at, MAX_READ), from + at);
    if (bytesRead === 0) return bytes.subarray(0, at);
    at += bytesRead;
  }
  return bytes;
}

function notAKey(error: unknown): undefined {
  if (error instanceof AttuneError && error.code === "BAD_KEY") return undefined;
  throw error;
}
