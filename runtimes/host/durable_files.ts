/** Files and folders that survive a loss of power, if the file system supports that. */
import { dirname } from "node:path";
import type { Files } from "./files.ts";
import { makeFolder as made } from "./make_folder.ts";

/** A writer of files and folders that survive a loss of power. */
export interface DurableFiles {
  /** Creates a folder if there is none. Afterwards the folder is durable, whichever process created it. */
  makeFolder(folder: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(folder: string): Promise<void>;
  /** Writes a new file completely, and creates its folder; returns its size. */
  writeFile(path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<number>;
}

/** Number of bytes that are written at once: on Deno a write blocks everything else. */
const PIECE = 2 ** 17;

/** Number of folders that are remembered as durable. */
const MOST = 4096;

/** Number of tries to create a folder that other processes keep removing. */
const TRIES = 20;

/** Returns a writer of durable files below a root. */
export function durableFiles(files: Files, root: string): DurableFiles {
  const durable = new Set<string>();
  const syncFolder = async (folder: string): Promise<void> => {
    try {
      const file = await files.open(folder, "r");
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      // Some systems cannot sync folders, which is ignored; a sync that was possible but failed is an error.
      const { code = "" } = error as NodeJS.ErrnoException;
      if (["EIO", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT"].includes(code)) throw error;
    }
  };
  const makeFolder = async (folder: string): Promise<void> => {
    const first = await made(folder, files);
    if (durable.size > MOST) durable.clear();
    for (let parent = folder;; parent = dirname(parent)) {
      if (first !== undefined && parent.length >= first.length) durable.delete(parent);
      // Another process may have created it without having synced it yet.
      if (!durable.has(parent)) await syncFolder(dirname(parent));
      durable.add(parent);
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
          // A process that deletes the last file of a folder also removes the folder.
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
