/** The options of `attune evaluate`. */
import { type Command, Option } from "commander";
import { RESAMPLES } from "../../core/statistics/resamples.ts";
import { withExamples } from "./help.ts";
import { collect, deviceOption, wholeNumber } from "./values.ts";

/** Adds the command to a program. `set` receives its exit code. */
export function addEvaluateCommand(program: Command, set: (code: number) => void): void {
  withExamples(
    program.command("evaluate").argument(
      "<spec|dir>",
      "a run spec (JSON), the output folder of a run, or a folder with a model or an adapter",
    )
      .description("Evaluate a trained run, or the model of a spec; print its metrics as JSON."),
    "attune evaluate runs/first --intervals",
    "attune evaluate runs/new --compare runs/old",
    "attune evaluate runs/first --data rows.csv --by region --report page.html",
  )
    .option("--data <file>", "rows to use instead of the spec's: .jsonl, .json, .csv, .parquet")
    .addOption(
      new Option("--split <name>", "which data of the spec to use (default: test, or eval if there is none)")
        .choices(["train", "eval", "test"]),
    )
    .option("--intervals [n]", "add 95 % intervals, from this many resamples (default: 2000)", wholeNumber(1))
    .option("--cluster <column>", "resample rows with the same value of this column together")
    .option("--compare <dir>", "compare with another run on the same rows, and test the difference")
    .option("--by <column>", "also compute every metric for each value of this column (repeatable)", collect)
    .option("--slices", "find the slices, by column values and lengths, where the model is worst")
    .option("--thresholds <column>", "tune a threshold per group on the eval rows, and show the effect")
    .option("--predictions [file]", "write each row's answer (default: predictions.jsonl in the run's folder)")
    .option("--report <file.html>", "write a report of this evaluation")
    .option("--json", "print the metrics on one line")
    .option("--task <name>", "evaluate one of several tasks (default: all)")
    .option("--set <path=value>", "change a value of the spec (repeatable)", collect)
    .addOption(deviceOption())
    .action(async (path, { intervals, ...options }) => {
      const { evaluateCommand } = await import("./evaluate.ts");
      set(await evaluateCommand(path, { ...options, intervals: intervals === true ? RESAMPLES : intervals }));
    });
}
