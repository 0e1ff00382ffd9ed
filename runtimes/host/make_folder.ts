/**
 * Creation of folders with their parents. Node's own recursive mkdir loops for ever if a file system
 * reports that a folder's parent is missing although it exists, as /proc does.
 */
import { existsSync, mkdirSync } from "node:fs";
import * as nodeFiles from "node:fs/promises";
import { dirname } from "node:path";
import { AttuneError } from "../../core/base/errors.ts";

/** The part of node:fs/promises that is used. */
type Files = Pick<typeof nodeFiles, "mkdir" | "stat">;

/** Creates a folder if there is none, and returns the topmost one that it created. Throws the file system's errors. */
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

/** Creates a folder synchronously if there is none. Throws AttuneError (`NOT_WRITABLE`) if that fails. */
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

/** Returns the error for a folder that is not writable. */
export function notWritable(folder: string, cause: unknown): AttuneError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AttuneError(`${folder} cannot be written to: ${why}`, {
    code: "NOT_WRITABLE",
    plugin: "output",
    path: folder,
    cause,
  });
}
