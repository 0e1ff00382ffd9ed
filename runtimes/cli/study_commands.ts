/**
 * The commands that make several runs of one spec, with their options.
 * @module
 */
import type { Command } from "commander";
import { collect, wholeNumber } from "./values.ts";

/** Adds them to the program; `set` is told the exit code. */
export function addStudyCommands(program: Command, set: (code: number) => void): void {
  program.command("search").argument("<spec>").description("try values of a spec's options, as its search describes")
    .option("--trials <n>", "trials to make, in place of the search's", wholeNumber(1))
    .option("--timeout <seconds>", "no trial begins behind that", wholeNumber(1))
    .option("-o, --output <dir>", "output directory (default: runs/<name>)")
    .option("--set <path=value>", "change a value of the spec; repeatable", collect, [])
    .option("--resume", "continue with the same trials")
    .option("--server <url>", "trials are jobs of this server (its key in ATTUNE_API_KEY)")
    .option("--parallel <n>", "trials at one time, in place of the search's", wholeNumber(1))
    .option("--dry-run", "say what it would take, and end")
    .option("--json", "as JSON lines on stdout")
    .action(async (spec, options) => set(await (await import("./search.ts")).searchCommand(spec, options)));
  program.command("data").argument("<spec>").description("describe a spec's data: rows, classes, lengths, leaks")
    .option("--rows <n>", "look at the first rows of each split only", wholeNumber(1))
    .option("--labels", "find labels that are likely wrong; trains five folds")
    .option("--predictions <path>", "judge labels by these: a file, or the output of crossvalidate or of a run")
    .option("--near", "find texts that are nearly the same, too")
    .option("--tokens", "show which tokens are learned")
    .option("--write <dir>", "write the rows as they will be trained, and data.json")
    .option("--overwrite", "replace what --write has written before")
    .option("--html <file>", "write a page")
    .option("--set <path=value>", "change a value of the spec; repeatable", collect, [])
    .option("--json", "as JSON on stdout")
    .action(async (spec, options) => set(await (await import("./data.ts")).dataCommand(spec, options)));
  program.command("crossvalidate").argument("<spec>").description("train once for each fold of the training rows")
    .option("--folds <n>", "folds of the rows", wholeNumber(2), 5)
    .option("--repeats <n>", "how often the rows are divided anew", wholeNumber(1), 1)
    .option("--stratify <column>", "column whose values keep their shares in every fold")
    .option("--group <column>", "column whose values stand in one fold each")
    .option("--seed <n>", "seed of the divisions", wholeNumber(0), 42)
    .option("-o, --output <dir>", "output directory (default: runs/<name>)")
    .option("--set <path=value>", "change a value of the spec; repeatable", collect, [])
    .option("--resume", "continue with the same folds")
    .option("--server <url>", "folds are jobs of this server (its key in ATTUNE_API_KEY)")
    .option("--parallel <n>", "folds at one time", wholeNumber(1), 1)
    .option("--dry-run", "say what it would take, and end")
    .option("--json", "as JSON lines on stdout")
    .action(async (spec, options) =>
      set(await (await import("./crossvalidate.ts")).crossvalidateCommand(spec, options))
    );
}
