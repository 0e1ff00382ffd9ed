/**
 * A directory as a store: keys are relative paths, writes are atomic, nothing outside the directory is reached.
 * @module
 */
import { constants } from "node:fs";
import * as nodeFiles from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import process from "node:process";
import { AttuneError, badKey, storeFailed } from "../core/errors.ts";
import { keyParts } from "../core/store_key.ts";
import type { Store, Stored } from "../core/types.ts";
import { allBytes } from "../core/bytes.ts";
import { fileOfGenerations, generationsIn, GONE, isReserved, OWN } from "./generations.ts";
import { claimFolder } from "./claim.ts";
import type { Files } from "./files.ts";
import { lastingFiles } from "./lasting_files.ts";

/** Whose files in the making these are: a process of this machine. */
const MACHINE = [...hostname()].reduce((hash, c) => (31 * hash + (c.codePointAt(0) ?? 0)) >>> 0, 7).toString(36);

/** One read call moves at most 2 GiB. */
const MAX_READ = 2 ** 30;

/**
 * A store over a directory, which is made when something is first put into it. What is put without a condition is a file
 * under its key, and its revision is size, time and inode; what is put over a revision is a version beside it, and its
 * revision is that version's number. Links are followed only inside the directory, and from a hub snapshot into its own
 * repository's blobs.
 *
 * @throws AttuneError from its methods: `BAD_KEY` on keys that leave the directory, `STORE` where the disk fails.
 */
export function directoryStore(root: string, files: Files = nodeFiles): Store {
  const { open, readdir, realpath, rename, rm, rmdir, stat, utimes } = files;
  const lasting = lastingFiles(files, root);
  const { makeFolder, syncFolder, writeFile } = lasting;
  const swept = new Set<string>();
  const path = (key: string): string => {
    const parts = keyParts("directory", key);
    if (parts.some(isReserved)) throw badKey("directory", key);
    return join(root, ...parts);
  };
  /** The real path of what is there; undefined where nothing is. */
  const real = async (key: string, at: string = path(key)): Promise<string | undefined> => {
    const own = await realpath(at).catch((error) => {
      if (isSystemError(error) && error.code === "ELOOP") throw badKey("directory", key, "is a link to itself");
      return absent(error);
    });
    if (own === undefined) return undefined;
    const base = await realpath(root);
    const repository = /^(.*[\\/](?:models|datasets)--[^\\/]+)[\\/]snapshots[\\/]/.exec(base + sep)?.[1];
    if (inside(base, own) || (repository !== undefined && inside(join(repository, "blobs"), own))) return own;
    throw badKey("directory", key, `leads outside ${root}`);
  };
  /** The newest version of a key; undefined where there is none, or it says that the key was deleted. */
  const newest = async (key: string): Promise<Version | undefined> => {
    for (;;) {
      const number = await generations.newest(path(key));
      const own = await real(key, generations.at(path(key), number));
      const info = own === undefined ? undefined : await stat(own).catch(absent);
      // Two newer ones were made meanwhile.
      if (!info && number > 0) continue;
      if (!info?.isFile() || own === undefined) return undefined;
      if (number === 0 || info.size !== GONE.length) return { own, number, stored: storedOf(key, info, number) };
      const file = await open(own, "r").catch(absent);
      try {
        if (!file) continue;
        return equal(await readAt(file, 0, GONE.length), GONE)
          ? undefined
          : { own, number, stored: storedOf(key, info, number) };
      } finally {
        await file?.close();
      }
    }
  };
  const stored = async (key: string): Promise<Stored | undefined> => (await newest(key))?.stored;
  /** Where a key is written, its folder made. The folders there are may be links, too. */
  const writable = async (key: string): Promise<string> => {
    const target = path(key);
    await makeFolder(root);
    const base = await realpath(root);
    for (let folder = dirname(target);; folder = dirname(folder)) {
      const own = await realpath(folder).catch(absent);
      if (own === undefined) continue;
      if (own !== base && !inside(base, own)) throw badKey("directory", key, `leads outside ${root}`);
      break;
    }
    await makeFolder(dirname(target));
    return target;
  };
  /** Removes what processes of this machine that are gone have left half-written. */
  const sweep = async (folder: string): Promise<void> => {
    if (swept.has(folder)) return;
    swept.add(folder);
    for (const name of await readdir(folder)) {
      const pid = name.startsWith(`${OWN}put-${MACHINE}-`) ? Number(name.split("-")[3]) : undefined;
      if (pid !== undefined && !isAlive(pid)) await rm(join(folder, name), { force: true });
    }
  };
  /** Two writes within one tick of the file system's clock must not look the same: inodes are used again. */
  const laterThan = async (target: string, temporary: string): Promise<void> => {
    const [before, own] = [await stat(target).catch(absent), await stat(temporary)];
    if (before && own.mtimeMs <= before.mtimeMs) await utimes(temporary, own.atime, new Date(before.mtimeMs + 2));
  };
  const matches = async (key: string, wanted: string | null): Promise<boolean> =>
    ((await stored(key))?.revision ?? null) === wanted;
  const generations = generationsIn(files, lasting);
  const temporaryOf = (target: string): string =>
    join(dirname(target), `${OWN}put-${MACHINE}-${process.pid}-${crypto.randomUUID()}`);
  /** Makes a file under its key, whatever is there. */
  const replace = async (key: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<Stored> => {
    const target = await writable(key);
    await sweep(dirname(target));
    const temporary = temporaryOf(target);
    try {
      await writeFile(temporary, bytes);
      await laterThan(target, temporary);
      const info = await stat(temporary);
      await rename(temporary, target);
      await syncFolder(dirname(target));
      return storedOf(key, info);
    } finally {
      await rm(temporary, { force: true });
    }
  };
  /** Makes a file under its key, where there is none. */
  const create = async (key: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<Stored | "conflict"> => {
    const target = await writable(key);
    await sweep(dirname(target));
    const temporary = temporaryOf(target);
    try {
      await writeFile(temporary, bytes);
      const info = await stat(temporary);
      if (!await files.link(temporary, target).then(() => true, taken)) return "conflict";
      await syncFolder(dirname(target));
      return storedOf(key, info);
    } finally {
      await rm(temporary, { force: true });
    }
  };
  /** Puts a version over a revision. */
  const supersede = async (
    key: string,
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    wanted: string | null,
  ): Promise<Stored | "conflict"> => {
    const number = await generations.newest(path(key));
    if (!await matches(key, wanted)) return "conflict";
    if (wanted === null && number === 0) return await create(key, bytes);
    const target = await writable(key);
    let size = 0;
    const write = async (at: string): Promise<void> => void (size = await writeFile(at, bytes));
    const done = await generations.add(target, number, write, () => matches(key, wanted));
    return done ? { key, size, revision: revisionOf(number + 1) } : "conflict";
  };
  const typed = <T>(key: string, act: () => Promise<T>): Promise<T> =>
    act().catch((error) => {
      throw isSystemError(error) ? storeFailed("directory", key, error) : error;
    });

  // Depth first with folders sorted as "name/" gives keys in order, without reading what is not asked for.
  async function* keys(prefix: string, folder = ""): AsyncIterable<string> {
    const read = () => readdir(join(root, folder), { withFileTypes: true }).catch(absent);
    const entries = await typed(folder, read) ?? [];
    const names = new Set(entries.flatMap((entry) => {
      if (!isReserved(entry.name)) return [folder + entry.name + (entry.isDirectory() ? "/" : "")];
      const versions = entry.isDirectory() ? fileOfGenerations(entry.name) : undefined;
      return versions === undefined ? [] : [folder + versions];
    }));
    for (const key of [...names].sort()) {
      if (!key.endsWith("/")) {
        if (key.startsWith(prefix)) yield key;
      } else if (key.startsWith(prefix) || prefix.startsWith(key)) yield* keys(prefix, key);
    }
  }

  return {
    get: (key, range) =>
      typed(key, async () => {
        for (;;) {
          const found = await newest(key);
          if (!found) return undefined;
          const file = await open(found.own, "r").catch(absent);
          // It has gone, or newer ones were made, since it was looked at.
          if (!file) continue;
          try {
            const own = storedOf(key, await file.stat(), found.number);
            const from = Math.min(range?.offset ?? 0, own.size);
            return { ...own, bytes: await readAt(file, from, Math.min(range?.length ?? own.size, own.size - from)) };
          } finally {
            await file.close();
          }
        }
      }),
    put: (key, bytes, options) =>
      typed(key, async () => {
        const wanted = options?.if;
        if (wanted !== undefined) return await supersede(key, bytes, wanted);
        if (await generations.newest(path(key)) === 0) return await replace(key, bytes);
        // A key that was once put over a revision has versions for good.
        const all = await allBytes(bytes);
        for (;;) {
          const done = await supersede(key, all, (await stored(key))?.revision ?? null);
          if (done !== "conflict") return done;
        }
      }),
    append: (key, bytes, options) =>
      typed(key, async () => {
        // A real path has no link left to follow; a new file's may be one that leads to nothing yet.
        const flags = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);
        const newer = generations.at(path(key), await generations.newest(path(key)));
        const target = await real(key, newer) ?? await writable(key);
        const file = await open(target, flags);
        try {
          await file.writeFile(bytes);
          if (options?.sync) {
            await file.sync();
            await syncFolder(dirname(target));
          }
          return storedOf(key, await file.stat());
        } finally {
          await file.close();
        }
      }),
    delete: (key, options) =>
      typed(key, async () => {
        const wanted = options?.if;
        const target = path(key);
        if (await stored(key) === undefined) return wanted === undefined || wanted === null ? "done" : "conflict";
        if (wanted !== undefined) return await supersede(key, GONE, wanted) === "conflict" ? "conflict" : "done";
        await writable(key);
        while (await generations.newest(target) > 0) {
          const revision = (await stored(key))?.revision;
          if (revision === undefined || await supersede(key, GONE, revision) !== "conflict") return "done";
        }
        await rm(target, { force: true });
        // Folders are not keys: one that holds nothing more goes.
        for (let folder = dirname(target); inside(root, folder); folder = dirname(folder)) {
          if (await rmdir(folder).then(() => false, () => true)) break;
        }
        return "done";
      }),
    list: async function* (prefix) {
      for await (const key of keys(prefix)) {
        // Links that lead outside, files that have just gone.
        const info = await typed(key, () => stored(key).catch(notAKey));
        if (info) yield info;
      }
    },
    keys,
    claim: () => claimFolder(root),
    sync: (key) =>
      typed(key, async () => {
        const target = path(key);
        const folder = dirname(generations.at(target, await generations.newest(target)));
        await syncFolder(folder);
        // The folders above may be another's, who is not done with them.
        if (await stat(folder).catch(absent)) await makeFolder(folder);
      }),
    locate: (key) =>
      typed(key, async () => {
        const found = await newest(key);
        if (!found) throw storeFailed("directory", key, "does not exist");
        return found.own;
      }),
  };
}

/** The newest version of a key: its real path, and its number where the key was put over a revision. */
type Version = Readonly<{ own: string; number: number; stored: Stored }>;

function inside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(".." + sep) && !isAbsolute(way);
}

function storedOf(key: string, info: { size: number; mtimeMs: number; ino: number }, number = 0): Stored {
  const { size, mtimeMs, ino } = info;
  return { key, size, revision: number > 0 ? revisionOf(number) : `${size}-${Math.round(mtimeMs * 1000)}-${ino}` };
}

function revisionOf(number: number): string {
  return `version-${number}`;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function taken(error: NodeJS.ErrnoException): false {
  if (error.code === "EEXIST") return false;
  throw error;
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

function absent(error: unknown): undefined {
  if (isSystemError(error) && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
  throw error;
}

function notAKey(error: unknown): undefined {
  if (error instanceof AttuneError && error.code === "BAD_KEY") return undefined;
  throw error;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(isSystemError(error) && error.code === "ESRCH");
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && !(error instanceof AttuneError) && "code" in error && typeof error.code === "string";
}
