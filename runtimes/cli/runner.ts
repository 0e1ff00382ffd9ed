/** `attune runner`: takes jobs from a server. */
import { resolve } from "node:path";
import process from "node:process";
import { AttuneError, badValue } from "../../core/base/errors.ts";
import { checkWritable } from "../host/claim.ts";
import { checkFolder } from "../serve/folder_models.ts";
import { runRunner } from "../runner/runner.ts";
import { exitCodes } from "./exit.ts";

/** Options of `attune runner`. */
export type RunnerCommandOptions = Readonly<{
  server: string;
  work: string;
  name?: string;
  models?: string;
  only?: string;
  plugins?: string;
  memory?: number;
  threads?: number;
  jobs?: number;
}>;

/** Runs until it is told to end; then saves the current job and returns it to the server. */
export async function runnerCommand(options: RunnerCommandOptions): Promise<number> {
  const token = process.env.ATTUNE_RUNNER_TOKEN;
  if (!token) {
    throw new AttuneError(
      "ATTUNE_RUNNER_TOKEN is not set: use the value that the server was started with, or printed",
      {
        code: "USAGE",
        plugin: "runner",
      },
    );
  }
  const { server, work, name, models, only, plugins, memory, threads, jobs } = options;
  if (!/^https?:$/.test(URL.canParse(server) ? new URL(server).protocol : "")) {
    throw badValue("runner", "--server", server, "the address of a server, as http://127.0.0.1:8787");
  }
  if (models !== undefined) checkFolder("runner", models);
  await checkWritable(resolve(work));
  const abort = new AbortController();
  let interrupts = 0;
  const interrupt = (): void => {
    if (++interrupts > 1) process.exit(exitCodes.interrupted);
    process.stderr.write("Interrupted: saving the job in hand and giving it back (again to stop at once)\n");
    abort.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  await runRunner({
    server,
    token,
    work: resolve(work),
    name,
    models: models === undefined ? undefined : resolve(models),
    only: only?.split(","),
    packages: plugins?.split(","),
    memoryBytes: memory,
    threads,
    jobs,
    signal: abort.signal,
    report: (text) => void process.stderr.write(`${text}\n`),
  });
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
  return abort.signal.aborted ? exitCodes.interrupted : exitCodes.done;
}
