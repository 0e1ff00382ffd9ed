/** The user's cache on disk: what can be made again. The least recently used goes where it grows too large. */
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import type { Named, Store } from "../../core/types.ts";
import { directoryStore } from "./directory_store.ts";
import { isReserved } from "./generations.ts";

/** What the cache may hold, in bytes. */
const MAX_BYTES = 8 * 2 ** 30;

/** What was used within this time stays whatever its size, in milliseconds: a run may be reading it. */
const RECENT = 60 * 60 * 1000;

/** How often the whole folder is looked at while as much is written as it may hold: it may have a hundred thousand files. */
const LOOKS = 64;

/** What is read again and again is said to be in use as often, in milliseconds. */
const RENEWED = 60 * 1000;

/**
 * The cache that the environment names: ATTUNE_CACHE, a folder, or "off" for none; else `attune` within XDG_CACHE_HOME, or
 * the place that the system has for caches.
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

/** A folder as a store that makes room for what is put into it. */
function boundedStore(folder: string, maxBytes: number): Store {
  const store = directoryStore(folder);
  /** Bytes that were written since the whole folder was looked at; at first nobody knows what is there. */
  let unseen = Infinity;
  /** When each key was last said to be in use. */
  const renewed = new Map<string, number>();
  const renew = async (key: string): Promise<void> => {
    const now = Date.now();
    if (now - (renewed.get(key) ?? -Infinity) < RENEWED) return;
    renewed.set(key, now);
    const path = join(folder, key);
    // Whoever reads a file part by part sees by its time of writing that it is still the same.
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
      if (unseen >= maxBytes / LOOKS) {
        unseen = 0;
        await makeRoom(folder, maxBytes).catch(() => {});
      }
      return done;
    },
  };
}

/** Removes what was used least recently, until the rest has room. */
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
    // What is half written its store removes, once nobody writes it any more.
    if (bytes <= maxBytes || now - used < RECENT || isReserved(basename(path))) continue;
    await rm(path, { force: true });
    bytes -= size;
  }
}
