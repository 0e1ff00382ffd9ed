/** A directory as a store: keys are relative paths, writes are atomic, nothing outside the directory is reached. */
import * as nodeFiles from "node:fs/promises";
import type { Store } from "../../core/types.ts";
import { claimFolder } from "./claim.ts";
import { directoryAt } from "./directory.ts";
import { keysBelow, listKeys, locateKey, readKey, readRanges } from "./directory_read.ts";
import { appendKey, deleteKey, putKey, syncKey } from "./directory_write.ts";
import type { Files } from "./files.ts";
import { withStoreErrors } from "./system_errors.ts";

/**
 * A store over a directory, which is created by the first put. An unconditional put writes a file under its key, whose
 * revision is its size, time and inode. A put over a revision writes a version beside that file, whose revision is the
 * version's number. Links are followed only inside the directory, and from a hub snapshot into its own
 * repository's blobs.
 *
 * @throws AttuneError from its methods: `BAD_KEY` if keys leave the directory, `STORE` if the disk fails.
 */
export function directoryStore(root: string, files: Files = nodeFiles): Store {
  const directory = directoryAt(root, files);
  return {
    get: (key, range) => withStoreErrors(key, () => readKey(directory, key, range)),
    getRanges: (key, ranges) => withStoreErrors(key, () => readRanges(directory, key, ranges)),
    put: (key, bytes, options) => withStoreErrors(key, () => putKey(directory, key, bytes, options?.if)),
    append: (key, bytes, options) => withStoreErrors(key, () => appendKey(directory, key, bytes, options?.sync)),
    delete: (key, options) => withStoreErrors(key, () => deleteKey(directory, key, options?.if)),
    list: (prefix) => listKeys(directory, prefix),
    keys: (prefix) => keysBelow(directory, prefix),
    claim: () => claimFolder(root),
    sync: (key) => withStoreErrors(key, () => syncKey(directory, key)),
    locate: (key) => withStoreErrors(key, () => locateKey(directory, key)),
  };
}
