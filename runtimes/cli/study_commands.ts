/** The commands that make several runs of one spec, with their options. */
import type { Command } from "commander";
import { withExamples } from "./help.ts";
import { collect, wholeNumber } from "./values.ts";

/** Adds the commands to the program; `set` receives the exit code. */
export function addStudyCommands(program: Command, set: (code: number) => void): void {
  withExamples(
    program.command("search").argument("<spec>", "a run spec (JSON) with `search`")
      .description("Try values of a spec's options, as its `search` describes, and train the best again."),
    "attune search spec.json --dry-run",
    "attune search spec.json --trials 20 --parallel 2",
    "attune search spec.json --resume",
  )
    .option("--trials <n>", "number of trials, instead of the search's", wholeNumber(1))
    .option("--timeout <seconds>", "start no trial after this time", wholeNumber(1))
    .option("-o, --output <dir>", "output folder (default: runs/<name>)")
    .option("--set <path=value>", "change a value of the spec (repeatable)", collect)
    .option("--resume", "continue an interrupted search, with the same trials")
    .option("--server <url>", "run trials as jobs of this server (with the key in ATTUNE_API_KEY)")
    .option("--parallel <n>", "trials at a time, instead of the search's", wholeNumber(1))
    .option(
      "--kills <n>",
      "give up a trial whose process the system killed so often for lack of memory",
      wholeNumber(1),
      3,
    )
    .option("--dry-run", "estimate time and memory, and exit")
    .option("--json", "print JSON lines")
    .action(async (spec, options) => set(await (await import("./search.ts")).searchCommand(spec, options)));
  withExamples(
    program.command("data").argument("<spec>", "a run spec (JSON)")
      .description("Describe a spec's data: columns, classes, lengths, duplicates, leaks, doubtful labels."),
    "attune data spec.json --near",
    "attune data spec.json --labels --html data.html",
    "attune data spec.json --write prepared",
  )
    .option("--rows <n>", "look only at the first rows of each split", wholeNumber(1))
    .option("--labels", "find labels that are probably wrong (trains five folds unless predictions exist)")
    .option("--predictions <path>", "predictions for --labels: a file, or the output of crossvalidate or run")
    .option("--near", "also find near-duplicate texts")
    .option("--tokens", "show which tokens the model learns to predict")
    .option("--write <dir>", "write the transformed rows and data.json")
    .option("--overwrite", "let --write replace what is in the folder")
    .option("--html <file>", "write the report as a page")
    .option("--set <path=value>", "change a value of the spec (repeatable)", collect)
    .option("--json", "print JSON")
    .action(async (spec, options) => set(await (await import("./data.ts")).dataCommand(spec, options)));
  withExamples(
    program.command("crossvalidate").argument("<spec>", "a run spec (JSON)")
      .description("Train once per fold of the training rows, and report the mean and interval of each figure."),
    "attune crossvalidate spec.json --folds 5 --stratify label",
    "attune crossvalidate spec.json --group author --parallel 2",
  )
    .option("--folds <n>", "number of folds", wholeNumber(2), 5)
    .option("--repeats <n>", "how many times the rows are divided", wholeNumber(1), 1)
    .option("--stratify <column>", "keep the distribution of this column's values in every fold")
    .option("--group <column>", "keep rows with the same value of this column in one fold")
    .option("--seed <n>", "random seed of the division", wholeNumber(0), 42)
    .option("-o, --output <dir>", "output folder (default: runs/<name>)")
    .option("--set <path=value>", "change a value of the spec (repeatable)", collect)
    .option("--resume", "continue an interrupted cross-validation, with the same folds")
    .option("--server <url>", "run folds as jobs of this server (with the key in ATTUNE_API_KEY)")
    .option("--parallel <n>", "folds at a time", wholeNumber(1), 1)
    .option("--dry-run", "estimate time and memory, and exit")
    .option("--json", "print JSON lines")
    .action(async (spec, options) =>
      set(await (await import("./crossvalidate.ts")).crossvalidateCommand(spec, options))
    );
}
