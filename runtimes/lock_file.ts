/**
 * Locks between processes: a file that only one can make.
 * @module
 */
import { open, rename, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Locks are held for a few system calls; one this old belongs to a process that is gone. */
const STALE_MS = 10_000;

/** Does something while no other process holds the lock. */
export async function withLock<T>(path: string, act: () => Promise<T>): Promise<T> {
  for (let wait = 1;; wait = Math.min(2 * wait, 50)) {
    const file = await open(path, "wx").catch(taken);
    if (file) {
      await file.close();
      break;
    }
    await breakStale(path);
    await sleep(wait * (0.5 + Math.random()));
  }
  try {
    return await act();
  } finally {
    await rm(path, { force: true });
  }
}

async function breakStale(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found || Date.now() - found.mtimeMs < STALE_MS) return;
  // Renaming tells apart who breaks it: of two, one finds nothing to rename.
  const own = `${path}-${crypto.randomUUID()}`;
  if (await rename(path, own).then(() => true, () => false)) await rm(own, { force: true });
}

function taken(error: NodeJS.ErrnoException): undefined {
  if (error.code === "EEXIST") return undefined;
  throw error;
}
