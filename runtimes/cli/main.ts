/**
 * Commands, their options, and exit codes: 0 done, 1 failed, 2 wrong usage or spec, 3 refused, 130 interrupted.
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import process from "node:process";
import { VERSION } from "../../core/base/version.ts";
import { exitCode, exitCodes } from "./exit.ts";
import { addStudyCommands } from "./study_commands.ts";
import { bytes, collect, deviceOption, list, wholeNumber } from "./values.ts";
import { addEvaluateCommand } from "./evaluate_options.ts";
import { addMergeCommand } from "./merge_options.ts";
import { serveLimits, shownLimit, shownRates } from "./limits.ts";

/** Runs one command line and gives its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCodes.done;
  const set = (result: number): void => {
    code = result;
  };
  const program = new Command("attune")
    .description("Fine-tune transformer language models")
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) })
    .showSuggestionAfterError();
  program.command("run").argument("<spec|dir>", "run spec (JSON), or with --resume the directory of a run")
    .description("train a run spec")
    .option("-o, --output <dir>", "output directory (default: runs/<name>)")
    .option("--set <path=value>", "change a value of the spec; repeatable", collect, [])
    .option("--json", "events as JSON lines on stdout")
    .option("--resume", "continue from the newest checkpoint")
    .option("--probe", "write probe.json")
    .option("--predictions", "write predictions.jsonl: each row of the reported split, as the trained model answers it")
    .option("--threads <n>", "threads to compute with", wholeNumber(1))
    .option("--no-cache", "read and write nothing in the user's cache")
    .addOption(deviceOption())
    .action(async (spec, options) => set(await (await import("./run.ts")).runCommand(spec, options)));
  program.command("plan").argument("<spec>").description("memory, parameters and time of a run, before step one")
    .option("--set <path=value>", "change a value of the spec; repeatable", collect, [])
    .option("--memory <bytes>", "what the run may take, as 2GB or 512MiB (default: the machine's)", bytes)
    .option("--folds <n>", "with all that cross-validation over so many folds takes", wholeNumber(2))
    .option("--repeats <n>", "divisions of the rows", wholeNumber(1))
    .option("--json", "as JSON")
    .addOption(deviceOption())
    .action(async (spec, options) => set(await (await import("./plan.ts")).planCommand(spec, options)));
  addStudyCommands(program, set);
  addEvaluateCommand(program, set);
  program.command("predict").argument("<dir>", "a run's output directory").description("one JSON line per row")
    .option("--input <file|->", "rows: .jsonl, .json, .csv, .parquet (default: JSON lines of standard input)", "-")
    .option("--task <name>", "which of several tasks")
    .option("--hidden-states", "with every layer's hidden states")
    .option("--attentions", "with every layer's attention probabilities")
    .addOption(deviceOption())
    .action(async (path, options) => set(await (await import("./infer.ts")).predictCommand(path, options)));
  program.command("export").argument("<dir>", "a run's output directory").description(
    "write a trained run for another ecosystem",
  )
    .requiredOption("--format <name>", "peft, hf")
    .option("--task <name>", "which of several tasks")
    .option("--merge", "fold the adapter into the model")
    .option("--verify", "load what was written and compare logits")
    .option("-o, --output <dir>", "where to (default: <dir>/export-<format>)")
    .action(async (path, options) => set(await (await import("./export.ts")).exportCommand(path, options)));
  addMergeCommand(program, set);
  const serve = program.command("serve").description("files, fine-tuning jobs and runners over HTTP")
    .option("--port <n>", "0 takes a free one", wholeNumber(0, 65535), 8787)
    .option("--host <name>", "address to listen on", "127.0.0.1")
    .option("--store <dir|nats://...>", "where jobs and files are kept", "runs/jobs")
    .option("--models <dir>", "models that requests may name in addition to attune:base")
    .option(
      "--cors <origin>",
      "pages of this origin may ask from a browser, as https://app.example; repeatable",
      collect,
      [],
    )
    .option(
      "--allow-hub [names]",
      "requests may name these models (org/name) or owners (org) of the hub, fetched with this machine's token; " +
        "without a list any model, fetched without one",
      list,
    )
    .option("--plugins <packages>", "packages whose plugins requests and jobs may also use, separated by commas")
    .addOption(
      new Option("--rate <class=perSecond/burst>", "how often a key may ask, of a class; repeatable")
        .argParser(collect).default([], shownRates()),
    )
    .addOption(deviceOption())
    .action(async (options) => set(await (await import("./serve.ts")).serveCommand(options)));
  for (const limit of Object.values(serveLimits)) {
    const { option, counts, help } = limit;
    const reads = counts === "bytes" ? bytes : wholeNumber(1);
    serve.option(`${option} <${counts}>`, `at most: ${help} (default: ${shownLimit(limit)})`, reads);
  }
  program.command("runner").description("take fine-tuning jobs from a server (its token in ATTUNE_RUNNER_TOKEN)")
    .requiredOption("--server <url>", "the server")
    .option("--work <dir>", "where files, models and jobs are kept", "runs/runner")
    .option("--models <dir>", "models that are here already; others are fetched")
    .option("--name <name>", "what it is called (default: host and process)")
    .option("--only <names>", "the only built-in plugins that jobs may use, separated by commas")
    .option("--plugins <packages>", "packages whose plugins jobs may also use, separated by commas")
    .option("--memory <bytes>", "memory that jobs may take, as 2GB or 512MiB (default: the machine's)", bytes)
    .option("--threads <n>", "threads to compute with", wholeNumber(1))
    .option("--jobs <n>", "end after this many jobs", wholeNumber(1))
    .addOption(deviceOption())
    .action(async (options) => set(await (await import("./runner.ts")).runnerCommand(options)));
  program.command("plugins").description("every plugin with its options")
    .option("--json", "with the options' JSON Schema")
    .option("--check <package>", "run the batteries over a package's plugins")
    .action(async (options) => set(await (await import("./plugins.ts")).pluginsCommand(options)));
  return await exitCode(async () => {
    try {
      await program.parseAsync(["node", "attune", ...args]);
      return code;
    } catch (error) {
      // Commander has said it already.
      if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
      throw error;
    }
  });
}
