/** The user's cache on disk, for data that can be made again. If it grows too large, least recently used files go. */
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import type { Named, Store } from "../../core/types.ts";
import { directoryStore } from "./directory_store.ts";
import { isReserved } from "./generations.ts";

/** The largest size of the cache, in bytes. */
const MAX_BYTES = 8 * 2 ** 30;

/** Files used within this time are kept whatever their size, in milliseconds: a run may be reading them. */
const RECENT = 60 * 60 * 1000;

/** The folder, of maybe a hundred thousand files, is scanned this often while its largest size is written to it. */
const SCANS = 64;

/** How often a file that is read repeatedly is marked as used, in milliseconds. */
const RENEWED = 60 * 1000;

/**
 * Returns the cache that the environment names: ATTUNE_CACHE, a folder, or "off" for none; else `attune` within
 * XDG_CACHE_HOME or the system's folder for caches.
 */
export function userCache(
  env: Named<string | undefined>,
  platform: string,
  maxBytes: number = MAX_BYTES,
): Store | undefined {
  const folder = folderOf(env, platform);
  return folder === undefined ? undefined : boundedStore(folder, maxBytes);
}

function folderOf(
  { ATTUNE_CACHE, XDG_CACHE_HOME, LOCALAPPDATA }: Named<string | undefined>,
  platform: string,
): string | undefined {
  if (ATTUNE_CACHE) return ATTUNE_CACHE === "off" ? undefined : ATTUNE_CACHE;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "attune");
  if (platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "attune", "cache");
  return platform === "darwin" ? join(homedir(), "Library", "Caches", "attune") : join(homedir(), ".cache", "attune");
}

/** Returns a store over a folder that removes old files to make room for new ones. */
function boundedStore(folder: string, maxBytes: number): Store {
  const store = directoryStore(folder);
  /** Bytes written since the folder was last scanned; at first its content is unknown. */
  let unseen = Infinity;
  /** When each key was last marked as used. */
  const renewed = new Map<string, number>();
  const renew = async (key: string): Promise<void> => {
    const now = Date.now();
    if (now - (renewed.get(key) ?? -Infinity) < RENEWED) return;
    renewed.set(key, now);
    const path = join(folder, key);
    // Keeps the modification time, by which readers of parts of a file see that it has not changed.
    const info = await stat(path).catch(() => undefined);
    if (info) await utimes(path, now / 1000, info.mtimeMs / 1000).catch(() => {});
  };
  return {
    ...store,
    get: async (key, range) => {
      const file = await store.get(key, range);
      if (file && range?.length !== 0) await renew(key);
      return file;
    },
    getRanges: async (key, ranges) => {
      const pieces = await store.getRanges?.(key, ranges);
      if (pieces) await renew(key);
      return pieces;
    },
    put: async (key, bytes, options) => {
      const done = await store.put(key, bytes, options);
      unseen += bytes instanceof Uint8Array ? bytes.length : Infinity;
      if (unseen >= maxBytes / SCANS) {
        unseen = 0;
        await makeRoom(folder, maxBytes).catch(() => {});
      }
      return done;
    },
  };
}

/** Removes the least recently used files until the rest fits. */
async function makeRoom(folder: string, maxBytes: number, now: number = Date.now()): Promise<void> {
  const names = await readdir(folder, { recursive: true });
  const infos = await Promise.all(names.map(async (name) => {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    return info?.isFile() ? [{ path, size: info.size, used: Math.max(info.mtimeMs, info.atimeMs) }] : [];
  }));
  const files = infos.flat().sort((a, b) => a.used - b.used);
  let bytes = files.reduce((n, { size }) => n + size, 0);
  for (const { path, size, used } of files) {
    // Half-written files are removed by their store once nobody writes them any more.
    if (bytes <= maxBytes || now - used < RECENT || isReserved(basename(path))) continue;
    await rm(path, { force: true });
    bytes -= size;
  }
}
