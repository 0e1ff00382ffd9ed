/**
 * The folder of a command that makes several runs: claimed, empty or gone on with.
 * @module
 */
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import { AttuneError } from "../../core/errors.ts";
import { isDirectory } from "../host/spec_file.ts";
import { claimFolder, isClaim } from "../host/claim.ts";
import { exitCodes } from "./exit.ts";

/**
 * Does some work in a folder that nobody else writes to; `signal` is aborted where the command is interrupted.
 *
 * @throws AttuneError (`USAGE`) where the folder is not empty and nothing goes on there.
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
