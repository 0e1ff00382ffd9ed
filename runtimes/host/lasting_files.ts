/** Files and folders that outlive a loss of power, where the file system can do that. */
import { dirname } from "node:path";
import type { Files } from "./files.ts";
import { makeFolder as made } from "./make_folder.ts";

/** A writer of files and folders that survive a loss of power. */
export interface LastingFiles {
  /** Makes a folder where there is none; when it is done, the folder lasts, whoever has made it. */
  makeFolder(folder: string): Promise<void>;
  /** Makes the names in a folder last. */
  syncFolder(folder: string): Promise<void>;
  /** Writes a new file to its end, its folder made; gives its size. */
  writeFile(path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<number>;
}

/** Bytes that are written at once: on Deno nothing else happens meanwhile. */
const PIECE = 2 ** 17;

/** Folders that are remembered to last. */
const MOST = 4096;

/** A folder that others remove as often as it is made is given up after so many tries. */
const TRIES = 20;

/** Lasting files below a root. */
export function lastingFiles(files: Files, root: string): LastingFiles {
  const lasting = new Set<string>();
  const syncFolder = async (folder: string): Promise<void> => {
    try {
      const file = await files.open(folder, "r");
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      // Some systems cannot sync a folder; one that could and did not has not kept what it was to keep.
      const { code = "" } = error as NodeJS.ErrnoException;
      if (["EIO", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT"].includes(code)) throw error;
    }
  };
  const makeFolder = async (folder: string): Promise<void> => {
    const first = await made(folder, files);
    if (lasting.size > MOST) lasting.clear();
    for (let parent = folder;; parent = dirname(parent)) {
      if (first !== undefined && parent.length >= first.length) lasting.delete(parent);
      // Another process may have made it, and not be done.
      if (!lasting.has(parent)) await syncFolder(dirname(parent));
      lasting.add(parent);
      if (parent.length <= Math.min(root.length, first?.length ?? Infinity) || dirname(parent) === parent) return;
    }
  };
  return {
    makeFolder,
    syncFolder,
    writeFile: async (path, bytes) => {
      const opened = async (tries = 0): Promise<Awaited<ReturnType<Files["open"]>>> => {
        try {
          return await files.open(path, "wx");
        } catch (error) {
          // Whoever deletes the last file of a folder removes it.
          if ((error as NodeJS.ErrnoException).code !== "ENOENT" || tries >= TRIES) throw error;
          await makeFolder(dirname(path));
          return await opened(tries + 1);
        }
      };
      const file = await opened();
      let size = 0;
      try {
        for await (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
          for (let at = 0; at < part.length; at += PIECE) await file.writeFile(part.subarray(at, at + PIECE));
          size += part.length;
        }
        await file.sync();
        return size;
      } finally {
        await file.close();
      }
    },
  };
}
