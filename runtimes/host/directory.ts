/** A directory of a store's files: the paths of keys, none of which is outside the directory. */
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { badKey } from "../../core/base/errors.ts";
import { keyParts } from "../../core/files/store_key.ts";
import type { Files } from "./files.ts";
import { type Generations, generationsIn, isReserved } from "./generations.ts";
import { type DurableFiles, durableFiles } from "./durable_files.ts";
import { absent, isSystemError } from "./system_errors.ts";

/** A directory, and the state of this process's work in it. */
export type Directory = Readonly<{
  root: string;
  files: Files;
  durable: DurableFiles;
  generations: Generations;
  /** Folders that were cleared of half-written files. */
  swept: Set<string>;
}>;

/** Opens a directory. */
export function directoryAt(root: string, files: Files): Directory {
  const durable = durableFiles(files, root);
  return { root, files, durable, generations: generationsIn(files, durable), swept: new Set() };
}

/** Returns the path of a key's file. Throws AttuneError if the key leaves the directory. */
export function pathOf({ root }: Directory, key: string): string {
  const parts = keyParts("directory", key);
  if (parts.some(isReserved)) throw badKey("directory", key);
  return join(root, ...parts);
}

/** Returns the real path of a key's file; undefined if there is none. Throws AttuneError if links lead outside. */
export async function realPath(
  directory: Directory,
  key: string,
  at: string = pathOf(directory, key),
): Promise<string | undefined> {
  const { root, files: { realpath } } = directory;
  const path = await realpath(at).catch((error) => {
    if (isSystemError(error) && error.code === "ELOOP") throw badKey("directory", key, "is a link to itself");
    return absent(error);
  });
  if (path === undefined) return undefined;
  const base = await realpath(root);
  const repository = /^(.*[\\/](?:models|datasets)--[^\\/]+)[\\/]snapshots[\\/]/.exec(base + sep)?.[1];
  if (isInside(base, path) || (repository !== undefined && isInside(join(repository, "blobs"), path))) return path;
  throw badKey("directory", key, `leads outside ${root}`);
}

/** Returns the path to write a key to, and creates its folder. Existing folders may be links, too. */
export async function writablePath(directory: Directory, key: string): Promise<string> {
  const { root, files: { realpath }, durable: { makeFolder } } = directory;
  const target = pathOf(directory, key);
  await makeFolder(root);
  const base = await realpath(root);
  for (let folder = dirname(target);; folder = dirname(folder)) {
    const path = await realpath(folder).catch(absent);
    if (path === undefined) continue;
    if (path !== base && !isInside(base, path)) throw badKey("directory", key, `leads outside ${root}`);
    break;
  }
  await makeFolder(dirname(target));
  return target;
}

/** Whether a path is below a folder. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(".." + sep) && !isAbsolute(way);
}
