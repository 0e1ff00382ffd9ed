/** The hub's cache on disk, in the layout of Python's huggingface_hub: each reads what the other downloaded. */
import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, link, open, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { AttuneError, badFile, storeFailed } from "../../core/base/errors.ts";
import { keyParts } from "../../core/files/store_key.ts";
import type { Host, HubCache, Named } from "../../core/types.ts";
import { directoryStore } from "./directory_store.ts";
import { makeFolder } from "./make_folder.ts";

/**
 * The cache that the environment names: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, or ~/.cache.
 *
 * @throws AttuneError from its methods if names lead outside of it, or the disk fails.
 */
export function hubCache(env: Named<string | undefined>): HubCache {
  const { home, root } = placesOf(env);
  /** Returns a path in a repository's folder; names cannot lead outside of it. */
  const of = (repo: string, folder: string, ...names: readonly string[]): string =>
    join(
      root,
      // A data set's name already begins with `datasets/`, as in the hub's addresses.
      `${repo.startsWith("datasets/") ? "" : "models--"}${keyParts("hub", repo).join("--")}`,
      folder,
      ...names.flatMap((name) => keyParts("hub", name)),
    );
  const blob = (repo: string, etag: string): string => of(repo, "blobs", etag);
  const size = (path: string): Promise<number | undefined> => stat(path).then((s) => s.size, () => undefined);
  const text = (path: string): Promise<string | undefined> =>
    readFile(path, "utf8").then((text) => text.trim(), () => undefined);
  return {
    token: () => text(expanded(env.HF_TOKEN_PATH || join(home, "token"))),
    ref: (repo, revision) => text(of(repo, "refs", revision)),
    setRef: (repo, revision, commit) =>
      typed(async () => {
        const path = of(repo, "refs", revision);
        await makeFolder(dirname(path));
        // Readers find the old commit or the new one, never half of it.
        const temporary = `${path}.${crypto.randomUUID()}`;
        await writeFile(temporary, commit);
        await rename(temporary, path);
      }),
    snapshot: (repo, commit) => directoryStore(of(repo, "snapshots", commit)),
    has: async (repo, etag) => await size(blob(repo, etag)) !== undefined,
    partial: async (repo, etag) => await size(`${blob(repo, etag)}.incomplete`) ?? 0,
    write: (repo, etag, from, bytes) =>
      typed(async () => {
        const path = `${blob(repo, etag)}.incomplete`;
        await makeFolder(dirname(path));
        const file = await open(path, constants.O_RDWR | constants.O_CREAT);
        try {
          // At its position rather than appended: two processes that download the same file write the same bytes.
          let at = from;
          for await (const part of bytes) {
            for (let done = 0; done < part.length;) {
              done += (await file.write(part, done, part.length - done, at + done)).bytesWritten;
            }
            at += part.length;
          }
          await file.truncate(at);
          await file.sync();
          return at;
        } finally {
          await file.close();
        }
      }),
    link: (repo, etag, commit, file) =>
      typed(async () => {
        const blobPath = blob(repo, etag);
        if (await size(blobPath) === undefined) await finish(blobPath, etag, `${repo}/${file}`);
        const path = of(repo, "snapshots", commit, file);
        await makeFolder(dirname(path));
        await rm(path, { force: true });
        // If symbolic links are not allowed, a hard link has the same bytes; if neither is, a copy.
        await symlink(relative(dirname(path), blobPath), path).catch(unlessThere(() => link(blobPath, path)))
          .catch(unlessThere(() => copyFile(blobPath, path, constants.COPYFILE_EXCL))).catch(unlessThere());
      }),
  };
}

/** Completes a download. The etag of a large file is its SHA-256; if it does not match, deletes the file and throws. */
async function finish(blob: string, etag: string, what: string): Promise<void> {
  const path = `${blob}.incomplete`;
  if (/^[0-9a-f]{64}$/.test(etag)) {
    const hash = createHash("sha256");
    for await (const part of createReadStream(path)) hash.update(part);
    const digest = hash.digest("hex");
    if (digest !== etag) {
      await rm(path, { force: true });
      throw badFile(
        "hub",
        what,
        `has SHA-256 ${digest} where the hub announced ${etag}; run again to download it anew`,
      );
    }
  }
  await rename(path, blob);
}

/** Ignores that another process has made the same link meanwhile. */
function unlessThere(act?: () => Promise<void>): (error: NodeJS.ErrnoException) => Promise<void> {
  return async (error) => {
    if (error.code === "EEXIST") return;
    if (!act) throw error;
    await act();
  };
}

async function typed<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof AttuneError ? error : storeFailed("hub", "cache", error);
  }
}

/**
 * Returns a host that uses the hub anonymously: without its owner's token, and without files downloaded with it. For
 * names that come from other people.
 */
export function withoutToken(host: Host): Host {
  const { HF_TOKEN: _, HUGGING_FACE_HUB_TOKEN: _former, ...env } = host.env;
  const environment = { ...env, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1", HF_HUB_CACHE: join(placesOf(env).root, ".public") };
  return { ...host, env: environment, ...(host.hubCache ? { hubCache: hubCache(environment) } : {}) };
}

function placesOf(env: Named<string | undefined>): Readonly<{ home: string; root: string }> {
  const home = expanded(env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"));
  return { home, root: expanded(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")) };
}

function expanded(path: string): string {
  return path.replace(/^~(?=[\\/]|$)/, homedir());
}
