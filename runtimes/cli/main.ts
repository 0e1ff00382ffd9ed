/** The commands, their options, and exit codes: 0 done, 1 failed, 2 wrong usage or spec, 3 refused, 130 interrupted. */
import { Command, CommanderError, Option } from "commander";
import process from "node:process";
import { VERSION } from "../../core/base/version.ts";
import { exitCode, exitCodes } from "./exit.ts";
import { addStudyCommands } from "./study_commands.ts";
import { bytes, collect, deviceOption, list, wholeNumber } from "./values.ts";
import { addEvaluateCommand } from "./evaluate_options.ts";
import { withExamples } from "./help.ts";
import { addMergeCommand } from "./merge_options.ts";
import { serveLimits, shownLimit, shownRates } from "./limits.ts";

/** Runs one command line and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCodes.done;
  const set = (result: number): void => {
    code = result;
  };
  const program = new Command("attune")
    .description("Fine-tune transformer language models. `attune COMMAND --help` shows the options of a command.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text) })
    .showSuggestionAfterError();
  addRunCommands(program, set);
  addStudyCommands(program, set);
  addEvaluateCommand(program, set);
  addArtifactCommands(program, set);
  addServerCommands(program, set);
  return await exitCode(async () => {
    try {
      await program.parseAsync(["node", "attune", ...args]);
      return code;
    } catch (error) {
      // Commander has already printed the error.
      if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
      throw error;
    }
  });
}

type SetCode = (code: number) => void;

function addRunCommands(program: Command, set: SetCode): void {
  withExamples(
    program.command("run").argument("<spec|dir>", "a run spec (JSON), or with --resume the folder of a run")
      .description("Train the run that a spec describes, and write its results to a folder."),
    "attune run spec.json --output runs/first",
    "attune run spec.json --set training.learningRate=0.001 --set adapter.with.r=16",
    "attune run runs/first --resume",
  )
    .option("-o, --output <dir>", "output folder (default: runs/<name>)")
    .option("--set <path=value>", "change a value of the spec (repeatable)", collect)
    .option("--json", "print events as JSON lines")
    .option("--resume", "continue from the newest checkpoint")
    .option("--probe", "write probe.json: tokens, features and logits, to compare with other libraries")
    .option("--predictions", "write predictions.jsonl: the trained model's answer to each test row, or eval row")
    .option("--threads <n>", "number of threads to compute with (default: all cores)", wholeNumber(1))
    .option("--no-cache", "neither read nor write the user's cache")
    .addOption(deviceOption())
    .action(async (spec, options) => set(await (await import("./run.ts")).runCommand(spec, options)));
  withExamples(
    program.command("plan").argument("<spec>", "a run spec (JSON)")
      .description("Estimate the memory, parameters and time of a run, and propose options if it does not fit."),
    "attune plan spec.json",
    "attune plan spec.json --memory 2GB",
  )
    .option("--set <path=value>", "change a value of the spec (repeatable)", collect)
    .option("--memory <bytes>", "memory that the run may use, as 2GB or 512MiB (default: the machine's)", bytes)
    .option("--folds <n>", "also estimate a cross-validation with this many folds", wholeNumber(2))
    .option("--repeats <n>", "with --folds: how many times the rows are divided", wholeNumber(1))
    .option("--json", "print JSON")
    .addOption(deviceOption())
    .action(async (spec, options) => set(await (await import("./plan.ts")).planCommand(spec, options)));
}

function addArtifactCommands(program: Command, set: SetCode): void {
  withExamples(
    program.command("predict").argument("<dir>", "the output folder of a run, or a folder with a model or an adapter")
      .description("Answer rows with a trained model; print one JSON line per row."),
    `echo '{"text": "A fine film."}' | attune predict runs/first`,
    "attune predict runs/first --input rows.csv > answers.jsonl",
  )
    .option("--input <file|->", "rows: .jsonl, .json, .csv, .parquet; - for JSON lines from standard input", "-")
    .option("--task <name>", "the task to use, if the run has several")
    .option("--hidden-states", "add the hidden states of every layer")
    .option("--attentions", "add the attention probabilities of every layer")
    .addOption(deviceOption())
    .action(async (path, options) => set(await (await import("./infer.ts")).predictCommand(path, options)));
  withExamples(
    program.command("export").argument("<dir>", "the output folder of a run, or a folder with a model or an adapter")
      .description("Write a trained adapter for PEFT, or a whole model for transformers."),
    "attune export runs/first --format peft",
    "attune export runs/first --format hf --merge --verify",
  )
    .requiredOption("--format <name>", "peft or hf")
    .option("--task <name>", "the task to export, if the run has several")
    .option("--merge", "fold the adapter into the model's weights")
    .option("--verify", "load the written files and compare logits")
    .option("-o, --output <dir>", "folder to write to (default: <dir>/export-<format>)")
    .action(async (path, options) => set(await (await import("./export.ts")).exportCommand(path, options)));
  addMergeCommand(program, set);
}

function addServerCommands(program: Command, set: SetCode): void {
  const serve = withExamples(
    program.command("serve")
      .description(
        "Serve fine-tuning jobs and inference over HTTP. Keys come from ATTUNE_API_KEY, ATTUNE_RUNNER_TOKEN and " +
          "ATTUNE_ADMIN_KEY.",
      ),
    "attune serve --store jobs --models models",
    "attune serve --host 0.0.0.0 --port 80 --store nats://host:4222 --allow-hub sentence-transformers",
  )
    .option("--port <n>", "port to listen on; 0 chooses a free one", wholeNumber(0, 65535), 8787)
    .option("--host <name>", "address to listen on", "127.0.0.1")
    .option("--store <dir|nats://...>", "where jobs and files are kept", "runs/jobs")
    .option("--models <dir>", "folder of models that requests may use, in addition to attune:base")
    .option("--cors <origin>", "allow web pages of this origin, as https://app.example (repeatable)", collect)
    .option(
      "--allow-hub [names]",
      "allow these models (org/name) or owners (org) of the hub, downloaded with this machine's token; without names, " +
        "any public model, downloaded without the token",
      list,
    )
    .option("--plugins <packages>", "npm packages whose plugins requests and jobs may use, separated by commas")
    .addOption(
      new Option("--rate <class=perSecond/burst>", "requests per second and key, for a class (repeatable)")
        .argParser(collect).default([], shownRates()),
    )
    .addOption(deviceOption())
    .action(async (options) => set(await (await import("./serve.ts")).serveCommand(options)));
  for (const limit of Object.values(serveLimits)) {
    const { option, counts, help } = limit;
    const reads = counts === "bytes" ? bytes : wholeNumber(1);
    serve.option(`${option} <${counts}>`, `limit on ${help} (default: ${shownLimit(limit)})`, reads);
  }
  withExamples(
    program.command("runner")
      .description("Train fine-tuning jobs of a server. The server's runner token comes from ATTUNE_RUNNER_TOKEN."),
    "attune runner --server http://127.0.0.1:8787",
    "attune runner --server https://jobs.example --memory 8GB --threads 4",
  )
    .requiredOption("--server <url>", "address of the server")
    .option("--work <dir>", "where files, models and jobs are kept", "runs/runner")
    .option("--models <dir>", "folder of local models; others are downloaded from the server")
    .option("--name <name>", "name of the runner (default: host and process id)")
    .option("--only <names>", "built-in plugins that jobs may use, separated by commas (default: all)")
    .option("--plugins <packages>", "npm packages whose plugins jobs may use, too, separated by commas")
    .option("--memory <bytes>", "memory that jobs may use, as 2GB or 512MiB (default: the machine's)", bytes)
    .option("--threads <n>", "number of threads to compute with (default: all cores)", wholeNumber(1))
    .option("--jobs <n>", "exit after this many jobs", wholeNumber(1))
    .addOption(deviceOption())
    .action(async (options) => set(await (await import("./runner.ts")).runnerCommand(options)));
  withExamples(
    program.command("plugins")
      .description("List all plugins with their options, or test the plugins of a package."),
    "attune plugins",
    "attune plugins --check attune-plugin-x",
  )
    .option("--json", "print the JSON Schema of all options")
    .option("--check <package>", "run the conformance checks on a package's plugins")
    .action(async (options) => set(await (await import("./plugins.ts")).pluginsCommand(options)));
}
