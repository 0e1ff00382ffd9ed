/**
 * The options of `attune evaluate`.
 * @module
 */
import { type Command, Option } from "commander";
import { RESAMPLES } from "../../core/statistics/resamples.ts";
import { collect, deviceOption, wholeNumber } from "./values.ts";

/** Adds the command. `set` is told its exit code. */
export function addEvaluateCommand(program: Command, set: (code: number) => void): void {
  program.command("evaluate").argument("<spec|dir>").description("measure a trained run, or a spec's model")
    .option("--data <file>", "rows in place of the spec's: .jsonl, .json, .csv, .parquet")
    .addOption(
      new Option(
        "--split <name>",
        "which of the spec's data to evaluate on (default: test, or eval where there is none)",
      )
        .choices(["train", "eval", "test"]),
    )
    .option("--intervals [n]", "95 % intervals, of so many resamples (default: 2000)", wholeNumber(1))
    .option("--cluster <column>", "rows with one value of this column are resampled together")
    .option("--compare <dir>", "compare with another run on the same rows, and test the difference")
    .option("--by <column>", "every metric also by this column's values; repeatable", collect, [])
    .option("--slices", "the slices where it is worst, by columns and lengths, corrected for the search")
    .option("--thresholds <column>", "thresholds for each group, tuned on eval, shown on the evaluated rows")
    .option("--predictions [file]", "each row's answer (default: predictions.jsonl of the directory)")
    .option("--report <file.html>", "the run's report, of this evaluation")
    .option("--json", "as one line of JSON")
    .option("--task <name>", "one of several tasks (default: all)")
    .option("--set <path=value>", "change a value of the spec; repeatable", collect, [])
    .addOption(deviceOption())
    .action(async (path, { intervals, ...options }) => {
      const { evaluateCommand } = await import("./evaluate.ts");
      set(await evaluateCommand(path, { ...options, intervals: intervals === true ? RESAMPLES : intervals }));
    });
}
