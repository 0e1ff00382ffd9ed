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
import { withLock } from "./lock_file.ts";

/** How names of files begin that are in the making: never keys. */
const OWN = ".~attune-";

/** Whose files in the making these are: a process of this machine. */
const MACHINE = [...hostname()].reduce((hash, c) => (31 * hash + (c.codePointAt(0) ?? 0)) >>> 0, 7).toString(36);

/** What is used of node:fs/promises; tests hand in a disk that loses power. */
export type Files = Pick<
  typeof nodeFiles,
  "mkdir" | "open" | "readdir" | "realpath" | "rename" | "rm" | "rmdir" | "stat" | "utimes"
>;

/** One read call moves at most 2 GiB. */
const MAX_READ = 2 ** 30;

/**
 * A store over a directory, which is made when something is first put into it. A revision is size, time and inode.
 * Links are followed only inside the directory, and from a hub snapshot into its own repository's blobs.
 *
 * @throws AttuneError from its methods: `BAD_KEY` on keys that leave the directory, `STORE` where the disk fails.
 */
export function directoryStore(root: string, files: Files = nodeFiles): Store {
  const { open, readdir, realpath, rename, rm, rmdir, stat, utimes } = files;
  const swept = new Set<string>();
  const path = (key: string): string => {
    const parts = keyParts("directory", key);
    if (parts.some((part) => part.startsWith(OWN))) throw badKey("directory", key);
    return join(root, ...parts);
  };
  /** The real path of what is there; undefined where nothing is. */
  const real = async (key: string): Promise<string | undefined> => {
    const own = await realpath(path(key)).catch((error) => {
      if (isSystemError(error) && error.code === "ELOOP") throw badKey("directory", key, "is a link to itself");
      return absent(error);
    });
    if (own === undefined) return undefined;
    const base = await realpath(root);
    const repository = /^(.*[\\/](?:models|datasets)--[^\\/]+)[\\/]snapshots[\\/]/.exec(base + sep)?.[1];
    if (inside(base, own) || (repository !== undefined && inside(join(repository, "blobs"), own))) return own;
    throw badKey("directory", key, `leads outside ${root}`);
  };
  const stored = async (key: string): Promise<Stored | undefined> => {
    const own = await real(key);
    const info = own === undefined ? undefined : await stat(own).catch(absent);
    return info?.isFile() ? storedOf(key, info) : undefined;
  };
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
  /** Makes a rename or a new folder outlive a loss of power, where folders can be synced. */
  const syncFolder = async (folder: string): Promise<void> => {
    const file = await open(folder, "r").catch(() => undefined);
    await file?.sync().catch(() => {});
    await file?.close();
  };
  const makeFolder = async (folder: string): Promise<void> => {
    const first = await files.mkdir(folder, { recursive: true });
    if (first === undefined) return;
    for (let made = folder; inside(dirname(first), made); made = dirname(made)) await syncFolder(dirname(made));
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
  const writeFile = async (path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> => {
    const file = await open(path, "wx");
    try {
      if (bytes instanceof Uint8Array) await file.writeFile(bytes);
      else for await (const part of bytes) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
  };
  const matches = async (key: string, wanted: string | null): Promise<boolean> =>
    ((await stored(key))?.revision ?? null) === wanted;
  const typed = <T>(key: string, act: () => Promise<T>): Promise<T> =>
    act().catch((error) => {
      throw isSystemError(error) ? storeFailed("directory", key, error) : error;
    });

  return {
    get: (key, range) =>
      typed(key, async () => {
        const own = await real(key);
        const file = own === undefined ? undefined : await open(own, "r").catch(absent);
        try {
          const info = await file?.stat();
          if (!file || !info?.isFile()) return undefined;
          const from = Math.min(range?.offset ?? 0, info.size);
          const bytes = await readAt(file, from, Math.min(range?.length ?? info.size, info.size - from));
          return { ...storedOf(key, info), bytes };
        } finally {
          await file?.close();
        }
      }),
    put: (key, bytes, options) =>
      typed(key, async () => {
        const wanted = options?.if;
        if (wanted !== undefined && !await matches(key, wanted)) return "conflict";
        const target = await writable(key);
        await sweep(dirname(target));
        const temporary = join(dirname(target), `${OWN}put-${MACHINE}-${process.pid}-${crypto.randomUUID()}`);
        try {
          await writeFile(temporary, bytes);
          const commit = async (): Promise<void> => {
            await laterThan(target, temporary);
            await rename(temporary, target);
          };
          if (wanted === undefined) await commit();
          else {
            const done = await withLock(
              lockOf(target),
              async () => await matches(key, wanted) && (await commit(), true),
            );
            if (!done) return "conflict";
          }
        } finally {
          await rm(temporary, { force: true });
        }
        await syncFolder(dirname(target));
        return storedOf(key, await stat(target));
      }),
    append: (key, bytes, options) =>
      typed(key, async () => {
        // A real path has no link left to follow; a new file's may be one that leads to nothing yet.
        const flags = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);
        const target = await real(key) ?? await writable(key);
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
        const target = path(key);
        const wanted = options?.if;
        if (await stored(key) === undefined) return wanted === undefined || wanted === null ? "done" : "conflict";
        await writable(key);
        const remove = (): Promise<void> => rm(target, { force: true });
        if (wanted === undefined) await remove();
        else {
          const done = await withLock(lockOf(target), async () => await matches(key, wanted) && (await remove(), true));
          if (!done) return "conflict";
        }
        // Folders are not keys: one that holds nothing more goes.
        for (let folder = dirname(target); inside(root, folder); folder = dirname(folder)) {
          if (await rmdir(folder).then(() => false, () => true)) break;
        }
        return "done";
      }),
    list: async function* (prefix) {
      // Depth first with folders sorted as "name/" gives keys in order, without reading what is not asked for.
      async function* walk(folder: string): AsyncIterable<Stored> {
        const read = () => readdir(join(root, folder), { withFileTypes: true }).catch(absent);
        const entries = await typed(folder, read) ?? [];
        for (const key of entries.map((e) => folder + e.name + (e.isDirectory() ? "/" : "")).sort()) {
          if (key.endsWith("/")) {
            if (key.startsWith(prefix) || prefix.startsWith(key)) yield* walk(key);
          } else if (key.startsWith(prefix)) {
            // Files in the making, links that lead outside, files that have just gone.
            const info = await stored(key).catch(notAKey);
            if (info) yield info;
          }
        }
      }
      yield* walk("");
    },
    locate: (key) =>
      typed(key, async () => {
        const own = await real(key);
        if (own === undefined) throw storeFailed("directory", key, "does not exist");
        return own;
      }),
  };
}

function inside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(".." + sep) && !isAbsolute(way);
}

function storedOf(key: string, info: { size: number; mtimeMs: number; ino: number }): Stored {
  return { key, size: info.size, revision: `${info.size}-${Math.round(info.mtimeMs * 1000)}-${info.ino}` };
}

function lockOf(target: string): string {
  return join(dirname(target), `${OWN}lock-${target.slice(dirname(target).length + 1).slice(0, 200)}`);
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
