/**
 * The options of `attune merge`.
 * @module
 */
import type { Command } from "commander";
import { positiveNumber } from "./values.ts";

/** Adds the command. `set` is told its exit code. */
export function addMergeCommand(program: Command, set: (code: number) => void): void {
  program.command("merge").argument("<adapter...>", "directories of saved adapters").description(
    "merge adapters into one",
  )
    .option("--base <dir>", "write the whole model with the adapters folded in")
    .option(
      "--method <name>",
      "linear, cat, svd, ties, dare_linear, dare_ties, magnitude_prune, or with _svd",
      "linear",
    )
    .requiredOption("-o, --output <dir>", "where to")
    .option("--weights <w,...>", "one per adapter (default: equal, adding up to 1)")
    .option("--density <share>", "share of the values that ties, dare and magnitude_prune keep")
    .option("--svd-rank <r>", "rank of what is decomposed again (default: the largest of the adapters')")
    .option("--majority-sign <how>", "total or frequency", "total")
    .option("--modules-from <n>", "number (from 0) of the adapter whose wholly trained modules are taken")
    .option("--seed <n>", "seed of dare's masks", "42")
    .option("--exact", "fold a QA-LoRA adapter into the zero points of its quantized base, in HQQ's layout")
    .option("--requantize", "pack the weights again that the base has packed, in its layout (bitsandbytes, hqq)")
    .option("--verify", "with --requantize: report what is lost compared with the unquantized merge")
    .option("--max-loss-drift <nats>", "with --verify: how much the mean loss may change", positiveNumber)
    .action(async (paths, options) => set(await (await import("./merge.ts")).mergeCommand(paths, options)));
}
