/**
 * Versions of a file that are written one over the other, for compare-and-set without a lock. Beside a file `name` the folder
 * `~attune-after-name` has its later versions as `1`, `2` and so on; the highest counts, and the file itself only if
 * there is none.
 *
 * A version is written under another name and linked to its number: of all that try, the file system lets one through. A
 * number is never given twice, since whoever is late finds it taken, or that its unlinked file has been removed: a
 * version is removed only after every unlinked file that wants its number or a lower one. No clock decides anything.
 */
import { basename, dirname, join } from "node:path";
import type { Files } from "./files.ts";
import type { LastingFiles } from "./lasting_files.ts";
import { absent } from "./system_errors.ts";

/** How names of files in the making begin; they are no keys, and nothing is lost with them. */
export const OWN = ".~attune-";

/** How names of folders of versions begin. They are no keys, and not hidden: whoever copies what is seen copies them. */
const AFTER = "~attune-after-";

/** The content of a version that deletes the file. It is recognized by this content, not by its length. */
export const GONE: Uint8Array = new TextEncoder().encode("attune: deleted 5d0c2f7b7c1e4a0f9a3be6a1c8d4f260\n");

/** Versions of files. */
export interface Generations {
  /** The number of the newest version of a file; 0: the file itself. */
  newest(target: string): Promise<number>;
  /** Where a version is. */
  at(target: string, number: number): string;
  /**
   * Makes the version behind `number`, if that is the newest. `write` writes it to a path, `still` says whether what was
   * looked at before still holds.
   */
  add(
    target: string,
    number: number,
    write: (path: string) => Promise<void>,
    still: () => Promise<boolean>,
  ): Promise<boolean>;
}

/** Whether a name in a folder is one that no key has. */
export function isReserved(name: string): boolean {
  return name.startsWith(OWN) || name.startsWith(AFTER);
}

/** The name of the file whose later versions a folder has; undefined for other folders. */
export function fileOfGenerations(name: string): string | undefined {
  return name.startsWith(AFTER) ? name.slice(AFTER.length) : undefined;
}

/** Versions over a file system. */
export function generationsIn(files: Files, { makeFolder, syncFolder }: LastingFiles): Generations {
  const folderOf = (target: string): string => join(dirname(target), AFTER + basename(target));
  const numbersIn = async (folder: string): Promise<number[]> => {
    const names = await files.readdir(folder).catch(absent);
    return (names ?? []).flatMap((name) => (/^[1-9]\d{0,14}$/.test(name) ? [Number(name)] : []));
  };
  const newest = async (target: string): Promise<number> => Math.max(0, ...await numbersIn(folderOf(target)));
  /** Removes what has lost against a version, and all before the one before it, which late readers may be opening. */
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
        // Looked at while the unlinked file is there: who removes versions from now on removes it first.
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

/** Another has made it, or has removed what was to become it. */
function lost(error: NodeJS.ErrnoException): false {
  if (error.code === "EEXIST" || error.code === "ENOENT") return false;
  throw error;
}
