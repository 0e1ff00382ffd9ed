/**
 * The file system of this machine, as far as stores use it.
 * @module
 */
import type * as nodeFiles from "node:fs/promises";

/** What is used of node:fs/promises; tests hand in a disk that loses power. */
export type Files = Pick<
  typeof nodeFiles,
  "link" | "mkdir" | "open" | "readdir" | "realpath" | "rename" | "rm" | "rmdir" | "stat" | "utimes"
>;
