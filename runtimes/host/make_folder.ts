/**
 * Folders that are made with those above them. Node's own recursive mkdir goes round in circles for ever where a file system
 * says that a folder's parent is missing though it is there, as /proc does.
 */
import { existsSync, mkdirSync } from "node:fs";
import * as nodeFiles from "node:fs/promises";
import { dirname } from "node:path";
import { AttuneError } from "../../core/base/errors.ts";

/** The part of node:fs/promises that is used. */
type Files = Pick<typeof nodeFiles, "mkdir" | "stat">;

/** Makes a folder where there is none, and gives the first of those that were made. Throws what the file system throws. */
export async function makeFolder(folder: string, files: Files = nodeFiles): Promise<string | undefined> {
  const create = async (): Promise<"made" | "there" | Error> => {
    try {
      await files.mkdir(folder);
      return "made";
    } catch (error) {
      const there = await files.stat(folder).then((info) => info.isDirectory(), () => false);
      return there ? "there" : error as Error;
    }
  };
  const first = await create();
  if (first === "made") return folder;
  if (first === "there") return undefined;
  const above = dirname(folder);
  if ((first as NodeJS.ErrnoException).code !== "ENOENT" || above === folder) throw first;
  const top = await makeFolder(above, files);
  const second = await create();
  if (second instanceof Error) throw second;
  return top ?? (second === "made" ? folder : undefined);
}

/** Makes a folder where there is none, before anything else goes on. Throws AttuneError (`NOT_WRITABLE`) if it cannot. */
export function makeFolderSync(folder: string): void {
  const make = (path: string): void => {
    if (existsSync(path)) return;
    make(dirname(path));
    mkdirSync(path);
  };
  try {
    make(folder);
  } catch (error) {
    throw notWritable(folder, error);
  }
}

/** Says of a folder that nothing can be written to it. */
export function notWritable(folder: string, cause: unknown): AttuneError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AttuneError(`${folder} cannot be written to: ${why}`, {
    code: "NOT_WRITABLE",
    plugin: "output",
    path: folder,
    cause,
  });
}
