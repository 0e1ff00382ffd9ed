/**
 * A directory of files.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link directory}. */
export interface DirectoryOptions {
  /** The folder, which is created with the first write. */
  readonly path: string;
}

/**
 * Files below a folder of the host.
 *
 * @throws AttuneError from `open` if the host has no files.
 * @example
 * ```ts
 * import { directory } from "attune/stores/directory";
 * console.assert(directory({ path: "./runs" }).name === "directory");
 * ```
 */
export const directory: Factory<"store", DirectoryOptions> = define({
  kind: "store",
  name: "directory",
  schema: v.strictObject({ path: role(v.string(), { role: "path" }) }),
  create: ({ path }: DirectoryOptions) => ({
    open: async (host) => {
      if (!host.directory) throw missing("directory", "access to files", host.runtime);
      return host.directory(path);
    },
  }),
});
