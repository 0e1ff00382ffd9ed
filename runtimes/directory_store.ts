/**
 * A directory as a store: keys are relative paths, writes are atomic, nothing outside the directory is reached.
 * @module
 */
import { mkdir, open, readdir, realpath, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import process from "node:process";
import { AttuneError } from "../core/errors.ts";
import type { Store, Stored } from "../core/types.ts";

/** A store over a directory, which is made when something is first put into it. Its methods throw AttuneError on keys that leave it. */
export function directoryStore(root: string): Store {
  const path = (key: string): string => {
    const parts = key.split("/");
    if (
      key === "" || key.includes("\0") || key.includes("\\") || parts.some((p) => p === "" || p === "." || p === "..")
    ) {
      throw new AttuneError(`Key ${JSON.stringify(key)} is not a path inside the store`, {
        code: "BAD_KEY",
        plugin: "directory",
        found: key,
      });
    }
    return join(root, ...parts);
  };
  // Links may lead elsewhere: only inside the directory, or from a hub snapshot into its own repository's blobs.
  const checked = async (key: string): Promise<string> => {
    const own = await realpath(path(key));
    const base = await realpath(root);
    const repository = /^(.*[\\/]models--[^\\/]+)[\\/]snapshots[\\/]/.exec(base + sep)?.[1];
    const inside = (folder: string): boolean => own.startsWith(folder + sep);
    if (inside(base) || (repository !== undefined && inside(join(repository, "blobs")))) return own;
    throw new AttuneError(`Key ${JSON.stringify(key)} leads outside ${root}`, {
      code: "BAD_KEY",
      plugin: "directory",
      found: own,
    });
  };
  const stored = async (key: string): Promise<Stored | undefined> => {
    const info = await stat(path(key)).catch(absent);
    return info?.isFile()
      ? { key, size: info.size, revision: `${info.size}-${Math.round(info.mtimeMs * 1000)}-${info.ino}` }
      : undefined;
  };
  const conflicts = async (key: string, wanted: string | null | undefined): Promise<boolean> =>
    wanted !== undefined && ((await stored(key))?.revision ?? null) !== wanted;

  return {
    get: async (key, range) => {
      const info = await stored(key);
      if (!info) return undefined;
      const file = await open(await checked(key), "r");
      try {
        const from = Math.min(range?.offset ?? 0, info.size);
        const bytes = new Uint8Array(Math.max(0, Math.min(range?.length ?? info.size, info.size - from)));
        let at = 0;
        while (at < bytes.length) {
          // One read call moves at most 2 GiB.
          const { bytesRead } = await file.read(bytes, at, Math.min(bytes.length - at, 2 ** 30), from + at);
          if (bytesRead === 0) break;
          at += bytesRead;
        }
        return { ...info, bytes: at === bytes.length ? bytes : bytes.subarray(0, at) };
      } finally {
        await file.close();
      }
    },
    put: async (key, bytes, options) => {
      const target = path(key);
      if (await conflicts(key, options?.if)) return "conflict";
      await mkdir(dirname(target), { recursive: true });
      const temporary = `${target}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
      const file = await open(temporary, "w");
      try {
        if (bytes instanceof Uint8Array) await file.writeFile(bytes);
        else for await (const part of bytes) await file.writeFile(part);
        await file.sync();
        await file.close();
        await rename(temporary, target);
      } catch (error) {
        await file.close().catch(() => {});
        await rm(temporary, { force: true });
        throw error;
      }
      return await stored(key) ?? { key, size: 0, revision: "" };
    },
    append: async (key, bytes) => {
      await mkdir(dirname(path(key)), { recursive: true });
      const file = await open(path(key), "a");
      try {
        await file.writeFile(bytes);
      } finally {
        await file.close();
      }
      return await stored(key) ?? { key, size: 0, revision: "" };
    },
    delete: async (key, options) => {
      if (await conflicts(key, options?.if)) return "conflict";
      await rm(path(key), { force: true });
      // Folders are not keys: one that holds nothing more goes.
      for (let folder = dirname(path(key)); relative(root, folder) !== ""; folder = dirname(folder)) {
        if (await rmdir(folder).then(() => false, () => true)) break;
      }
      return "done";
    },
    list: async function* (prefix) {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(absent);
      const keys = (entries ?? []).filter((e) => !e.isDirectory() && !e.name.endsWith(".tmp"))
        .map((e) => relative(root, join(e.parentPath, e.name)).split(sep).join("/"));
      for (const key of keys.filter((k) => k.startsWith(prefix)).sort()) {
        const info = await stored(key);
        if (info) yield info;
      }
    },
    locate: checked,
  };
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}
