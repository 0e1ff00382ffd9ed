/** `attune predict`: a model's predictions for rows of input. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { badFile } from "../../core/base/errors.ts";
import { predictRows } from "../../core/run/evaluate/infer.ts";
import { openRun } from "../../core/run/open/open.ts";
import type { Dataset, Row, Run } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { hostHere } from "../host/train.ts";
import { exitCodes } from "./exit.ts";
import { rowsAt } from "./rows_at.ts";
import { readRun } from "../host/spec_file.ts";

/** Prints one JSON line per row. */
export async function predictCommand(
  path: string,
  options: Readonly<{ input: string; task?: string; hiddenStates?: boolean; attentions?: boolean }>,
): Promise<number> {
  const run = await composed(await readRun(path, options.task));
  const open = await openRun(run, await hostHere());
  const outputs = { outputHiddenStates: options.hiddenStates ?? false, outputAttentions: options.attentions ?? false };
  for await (const prediction of predictRows(open, rowsOf(run, options.input), outputs)) {
    process.stdout.write(JSON.stringify(prediction) + "\n");
  }
  return exitCodes.done;
}

function rowsOf(run: Run, input: string): Dataset {
  if (input !== "-") return run.use("data", rowsAt(input));
  const rows: Row[] = readFileSync(0, "utf8").replace(/^\uFEFF/, "").split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line)];
    } catch (cause) {
      throw badFile(
        "predict",
        `standard input, line ${i + 1}`,
        `is not JSON (${cause instanceof Error ? cause.message : cause})`,
      );
    }
  });
  return run.use("data", { use: "memory", with: { rows } });
}
