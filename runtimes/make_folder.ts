/**
 * Folders that are made with those above them. Node's own recursive mkdir goes round in circles for ever where a file system
 * says that a folder's parent is missing though it is there, as /proc does.
 * @module
 */
import * as nodeFiles from "node:fs/promises";
import { dirname } from "node:path";

/** What is used of node:fs/promises. */
type Files = Pick<typeof nodeFiles, "mkdir" | "stat">;

/** Makes a folder where there is none, and gives the first of those that were made. Throws what the file system throws. */
export async function makeFolder(folder: string, files: Files = nodeFiles): Promise<string | undefined> {
  const made = async (): Promise<"made" | "there" | Error> => {
    try {
      await files.mkdir(folder);
      return "made";
    } catch (error) {
      const there = await files.stat(folder).then((info) => info.isDirectory(), () => false);
      return there ? "there" : error as Error;
    }
  };
  const first = await made();
  if (first === "made") return folder;
  if (first === "there") return undefined;
  const above = dirname(folder);
  if ((first as NodeJS.ErrnoException).code !== "ENOENT" || above === folder) throw first;
  const top = await makeFolder(above, files);
  const second = await made();
  if (second instanceof Error) throw second;
  return top ?? (second === "made" ? folder : undefined);
}
