/** The output folder of a command that makes several runs: claimed, and either empty or resumed. */
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import { AttuneError, missing } from "../../core/base/errors.ts";
import type { Host, Store } from "../../core/types.ts";
import { isDirectory } from "../host/spec_file.ts";
import { claimFolder, isClaim } from "../host/claim.ts";
import { type Runs, runsHere } from "../study/runs.ts";
import { runsAtServer } from "../study/runs_at_server.ts";
import { exitCodes } from "./exit.ts";

/**
 * Runs `work` in a folder that no other process writes to; `signal` is aborted if the command is interrupted.
 *
 * @throws AttuneError (`USAGE`) if the folder is not empty and is not to be resumed.
 */
export async function inFolder<T>(
  plugin: string,
  folder: string,
  resume: boolean | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (existsSync(folder)) {
    const details = { code: "USAGE", plugin, path: folder };
    if (!isDirectory(folder)) throw new AttuneError(`${folder} is a file: --output names a directory`, details);
    if (!resume && readdirSync(folder).some((name) => !isClaim(name))) {
      throw new AttuneError(`${folder} is not empty: pass --resume to continue it, or another --output`, details);
    }
  }
  const release = await claimFolder(folder);
  const abort = new AbortController();
  let interrupts = 0;
  const interrupt = (): void => {
    if (++interrupts > 1) process.exit(exitCodes.interrupted);
    process.stderr.write("\nInterrupted: finishing steps and saving checkpoints (again to stop at once)\n");
    abort.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    return await work(abort.signal);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    await release();
  }
}

/** Returns where a command's runs happen: here, or at a server. Throws AttuneError if the server's key is not set. */
export function runsFor(server: string | undefined, folder: string, slots: number, host: Host, store: Store): Runs {
  if (server === undefined) return runsHere(folder, slots);
  const key = process.env.ATTUNE_API_KEY;
  if (!key) throw missing("server", "the server's key", "ATTUNE_API_KEY");
  return runsAtServer({ url: server, key, host, store });
}
