/**
 * The hub's cache on disk, laid out as Python's huggingface_hub does: either reads what the other downloaded.
 * @module
 */
import { link, mkdir, open, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { HubCache, Named } from "../core/types.ts";
import { directoryStore } from "./directory_store.ts";

/** The cache that the environment names: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, or ~/.cache. */
export function hubCache(env: Named<string | undefined>): HubCache {
  const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  const root = env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(home, "hub");
  const of = (repo: string, ...parts: string[]): string =>
    join(root, `models--${repo.replaceAll("/", "--")}`, ...parts);
  const blob = (repo: string, etag: string): string => of(repo, "blobs", etag);
  const size = (path: string): Promise<number | undefined> => stat(path).then((s) => s.size, () => undefined);
  return {
    ref: (repo, revision) => readFile(of(repo, "refs", revision), "utf8").then((text) => text.trim(), () => undefined),
    setRef: async (repo, revision, commit) => {
      const path = of(repo, "refs", revision);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, commit);
    },
    snapshot: (repo, commit) => directoryStore(of(repo, "snapshots", commit)),
    has: async (repo, etag) => await size(blob(repo, etag)) !== undefined,
    partial: async (repo, etag) => await size(`${blob(repo, etag)}.incomplete`) ?? 0,
    write: async (repo, etag, from, bytes) => {
      const path = `${blob(repo, etag)}.incomplete`;
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, from === 0 ? "w" : "a");
      try {
        for await (const part of bytes) await file.writeFile(part);
        await file.sync();
      } finally {
        await file.close();
      }
      return await size(path) ?? 0;
    },
    link: async (repo, etag, commit, file) => {
      const own = blob(repo, etag);
      if (await size(`${own}.incomplete`) !== undefined) await rename(`${own}.incomplete`, own);
      const path = of(repo, "snapshots", commit, file);
      await mkdir(dirname(path), { recursive: true });
      await rm(path, { force: true });
      // Where links are not allowed, a hard link holds the same bytes.
      await symlink(relative(dirname(path), own), path).catch(() => link(own, path));
    },
  };
}
