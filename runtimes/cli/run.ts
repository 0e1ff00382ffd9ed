/** `attune run`: trains a spec in a worker and shows its progress. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { AttuneError } from "../../core/base/errors.ts";
import { readTrainingArguments } from "../../core/spec/training_arguments.ts";
import type { Json, LogWriter, Named } from "../../core/types.ts";
import { isClaim } from "../host/claim.ts";
import { clock, terminal } from "../host/host.ts";
import { withLoggers, withPredictions } from "../host/run_loggers.ts";
import { trainInWorker } from "../host/train.ts";
import { exitCodes } from "./exit.ts";
import { isDirectory, readSpec, specPath } from "../host/spec_file.ts";

/** Options of `attune run`. */
export type RunCommandOptions = Readonly<
  {
    output?: string;
    set?: readonly string[];
    json?: boolean;
    resume?: boolean;
    probe?: boolean;
    predictions?: boolean;
    threads?: number;
    /** False: the user's cache is neither read nor written. */
    cache?: boolean;
  }
>;

/** Trains the spec in a file, or resumes the run in a folder. */
export async function runCommand(path: string, options: RunCommandOptions): Promise<number> {
  const file = await specPath(path);
  const spec = await readSpec(file, options.set);
  // A run that is resumed continues in its own folder.
  const folder = isDirectory(path) || (options.resume && spec.fingerprints !== undefined) ? dirname(file) : undefined;
  return await trainSpec(spec, folder === undefined ? options : { output: folder, ...options });
}

/** Trains a spec and returns the exit code. Besides the run's own loggers, it shows a progress bar or JSON lines. */
export async function trainSpec(spec: Named<Json>, options: RunCommandOptions): Promise<number> {
  const output = resolve(options.output ?? join("runs", typeof spec.name === "string" ? spec.name : "run"));
  if (existsSync(output)) {
    const details = { code: "USAGE", plugin: "run", path: output };
    if (!isDirectory(output)) throw new AttuneError(`${output} is a file: --output names a directory`, details);
    if (!options.resume && readdirSync(output).some((name) => !isClaim(name))) {
      throw new AttuneError(`${output} is not empty: pass --resume to continue it, or another --output`, details);
    }
  }
  const abort = new AbortController();
  let interrupts = 0;
  const interrupt = (): void => {
    if (++interrupts > 1) process.exit(exitCodes.interrupted);
    process.stderr.write("\nInterrupted: finishing the step and saving a checkpoint (again to stop at once)\n");
    abort.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  let code: number = exitCodes.failed;
  let display: LogWriter | undefined;
  const { resume, probe, threads } = options;
  // The worker inherits this environment.
  if (options.cache === false) process.env.ATTUNE_CACHE = "off";
  const full = options.predictions ? withPredictions(withLoggers(spec)) : withLoggers(spec);
  const events = trainInWorker(full, { output, resume, probe, threads, signal: abort.signal })[Symbol.asyncIterator]();
  try {
    // The worker starts meanwhile, and checks the spec.
    let next = events.next();
    next.catch(() => {});
    display = options.json ? undefined : await openConsole(full);
    for (let result = await next; !result.done; next = events.next(), result = await next) {
      const event = result.value;
      if (options.json) {
        if (event.type !== "examples") process.stdout.write(JSON.stringify(event) + "\n");
      } else display?.log(event);
      if (event.type === "end") {
        code = event.reason === "interrupted"
          ? exitCodes.interrupted
          : event.reason === "diverged"
          ? exitCodes.failed
          : exitCodes.done;
        if (event.reason === "diverged") process.stderr.write(`${event.message}\n`);
      }
    }
  } finally {
    await events.return?.(undefined);
    await display?.close();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
  if (code === exitCodes.done && !options.json) {
    process.stdout.write(`\nreport   ${join(output, "report.html")}\nresults  ${output}\n`);
  }
  return code;
}

/** Opens the console logger without loading plugins or the runtime, which only the worker needs. */
async function openConsole({ name, training }: Named<Json>): Promise<LogWriter> {
  const { consoleSink } = await import("../../plugins/loggers/console.ts");
  const run = { name: typeof name === "string" ? name : "run", training: readTrainingArguments(training).training };
  return consoleSink(terminal(), clock, run);
}
