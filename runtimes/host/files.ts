/** The functions of this machine's file system that stores use. */
import type * as nodeFiles from "node:fs/promises";

/** The part of node:fs/promises that is used; tests pass in a disk that loses power. */
export type Files = Pick<
  typeof nodeFiles,
  "link" | "mkdir" | "open" | "readdir" | "realpath" | "rename" | "rm" | "rmdir" | "stat" | "utimes"
>;
