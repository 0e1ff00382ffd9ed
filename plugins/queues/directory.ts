/**
 * A queue on disk.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import { storeQueue } from "../../core/jobs/store_queue.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link directory}. */
export interface DirectoryOptions {
  /** The folder, which several processes may share. */
  readonly path: string;
}

/**
 * One file for each waiting job, below `queue/`, and one for the process that has taken it.
 *
 * @throws AttuneError from `open` if the host has no files.
 * @example
 * ```ts
 * import { directory } from "attune/queues/directory";
 * console.assert(directory({ path: "./jobs" }).kind === "queue");
 * ```
 */
export const directory: Factory<"queue", DirectoryOptions> = define({
  kind: "queue",
  name: "directory",
  schema: v.strictObject({ path: role(v.string(), { role: "path" }) }),
  create: ({ path }: DirectoryOptions) => ({
    open: async (host) => {
      if (!host.directory) throw missing("directory", "access to files", host.runtime);
      return storeQueue(host.directory(path), host.clock.now);
    },
  }),
});
