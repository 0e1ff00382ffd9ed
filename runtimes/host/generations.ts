/**
 * Successive versions of a file, for compare-and-set without a lock. Later versions of a file `name` are in the folder
 * `~attune-after-name` beside it, as `1`, `2` and so on; the highest is current, and the file itself only if
 * there is none.
 *
 * A version is written under another name and then linked to its number: of all that try, the file system lets one
 * succeed. A number is never used twice, since a late writer finds it taken, or finds its unlinked file removed: a
 * version is removed only after every unlinked file that is meant for its number or a lower one. No clock is involved.
 */
import { basename, dirname, join } from "node:path";
import type { Files } from "./files.ts";
import type { DurableFiles } from "./durable_files.ts";
import { absent } from "./system_errors.ts";

/** Prefix of the names of unfinished files, which are no keys and can be deleted without loss. */
export const TEMPORARY_PREFIX = ".~attune-";

/** Prefix of the names of folders of versions. They are no keys, but not hidden, so that they are copied along. */
const VERSIONS_PREFIX = "~attune-after-";

/** The content of a version that marks the file as deleted. It is recognized by this content, not by its length. */
export const DELETED: Uint8Array = new TextEncoder().encode("attune: deleted 5d0c2f7b7c1e4a0f9a3be6a1c8d4f260\n");

/** Access to the versions of files. */
export interface Generations {
  /** Returns the number of the newest version of a file; 0: the file itself. */
  newest(target: string): Promise<number>;
  /** Returns the path of a version. */
  at(target: string, number: number): string;
  /**
   * Adds the version after `number`, if that is the newest. `write` writes it to a path; `still` returns whether what
   * the caller read before is still true.
   */
  add(
    target: string,
    number: number,
    write: (path: string) => Promise<void>,
    still: () => Promise<boolean>,
  ): Promise<boolean>;
}

/** Whether a name in a folder is reserved, so that no key has it. */
export function isReserved(name: string): boolean {
  return name.startsWith(TEMPORARY_PREFIX) || name.startsWith(VERSIONS_PREFIX);
}

/** Returns the name of the file whose later versions a folder contains; undefined for other folders. */
export function fileOfGenerations(name: string): string | undefined {
  return name.startsWith(VERSIONS_PREFIX) ? name.slice(VERSIONS_PREFIX.length) : undefined;
}

/** Returns the versions of files in a file system. */
export function generationsIn(files: Files, { makeFolder, syncFolder }: DurableFiles): Generations {
  const folderOf = (target: string): string => join(dirname(target), VERSIONS_PREFIX + basename(target));
  const numbersIn = async (folder: string): Promise<number[]> => {
    const names = await files.readdir(folder).catch(absent);
    return (names ?? []).flatMap((name) => (/^[1-9]\d{0,14}$/.test(name) ? [Number(name)] : []));
  };
  const newest = async (target: string): Promise<number> => Math.max(0, ...await numbersIn(folderOf(target)));
  /** Removes unlinked files that lost against a version, and old versions but the previous one, which may be in use. */
  const tidy = async (folder: string, number: number): Promise<void> => {
    const lost = (name: string): boolean => Number(/^next-(\d+)-/.exec(name)?.[1] ?? Infinity) <= number;
    const names = await files.readdir(folder);
    for (const name of names.filter(lost)) await files.rm(join(folder, name), { force: true });
    const old = names.filter((name) => /^\d+$/.test(name) && Number(name) < number - 1);
    for (const name of old) await files.rm(join(folder, name), { force: true });
  };
  return {
    newest,
    at: (target, number) => (number === 0 ? target : join(folderOf(target), String(number))),
    add: async (target, number, write, still) => {
      const folder = folderOf(target);
      await makeFolder(folder);
      const generation = join(folder, `next-${number + 1}-${crypto.randomUUID()}`);
      try {
        await write(generation);
        // Checked while the unlinked file exists: whoever removes versions from now on removes that file first.
        if (await newest(target) !== number || !await still()) return false;
        if (!await files.link(generation, join(folder, String(number + 1))).then(() => true, lost)) return false;
      } finally {
        await files.rm(generation, { force: true }).catch(() => {});
      }
      await syncFolder(folder);
      await tidy(folder, number + 1).catch(() => {});
      return true;
    },
  };
}

/** Returns false if another writer has added the version, or has removed the unlinked file. Throws any other error. */
function lost(error: NodeJS.ErrnoException): false {
  if (error.code === "EEXIST" || error.code === "ENOENT") return false;
  throw error;
}
