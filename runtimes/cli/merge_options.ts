/** The options of `attune merge`. */
import type { Command } from "commander";
import { withExamples } from "./help.ts";
import { positiveNumber } from "./values.ts";

/** Adds the command to a program. `set` receives its exit code. */
export function addMergeCommand(program: Command, set: (code: number) => void): void {
  withExamples(
    program.command("merge").argument("<adapter...>", "folders of saved adapters, or of runs that made one")
      .description("Merge adapters into one, or into their base model."),
    "attune merge runs/a/adapter runs/b/adapter --output merged --method ties --density 0.5",
    "attune merge runs/a/adapter --base models/base --output whole",
  )
    .option("--base <dir>", "write the whole model, with the adapters folded into this base")
    .option(
      "--method <name>",
      "linear, cat or svd; ties, dare_linear, dare_ties or magnitude_prune, each also with _svd",
      "linear",
    )
    .requiredOption("-o, --output <dir>", "folder to write to")
    .option("--weights <w,...>", "one weight per adapter (default: equal weights that add up to 1)")
    .option("--density <share>", "share of values to keep, for ties, dare and magnitude_prune")
    .option("--svd-rank <r>", "rank of the result, for svd and the _svd methods (default: the adapters' largest)")
    .option("--majority-sign <how>", "how ties chooses signs: total or frequency", "total")
    .option("--modules-from <n>", "which adapter's fully trained modules (such as the head) to take, counted from 0")
    .option("--seed <n>", "random seed of dare", "42")
    .option("--exact", "fold a QA-LoRA adapter into the zero points of its quantized base, in HQQ's layout")
    .option("--requantize", "quantize merged weights again, in the layout of the base (bitsandbytes, HQQ)")
    .option("--verify", "with --requantize: report the loss of accuracy compared with the unquantized merge")
    .option(
      "--max-loss-drift <nats>",
      "with --verify: the largest change of the mean loss (default: 0.1)",
      positiveNumber,
    )
    .action(async (paths, options) => set(await (await import("./merge.ts")).mergeCommand(paths, options)));
}
