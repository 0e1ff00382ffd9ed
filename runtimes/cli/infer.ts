/**
 * `attune evaluate` and `attune predict`.
 * @module
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { compose } from "../../core/compose.ts";
import { badFile, missing } from "../../core/errors.ts";
import { evaluateRun } from "../../core/run/evaluate.ts";
import { predictRows } from "../../core/run/infer.ts";
import { openRun } from "../../core/run/open.ts";
import type { Dataset, Row, Run, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../train.ts";
import { exitCodes } from "./main.ts";
import { isDirectory, readRun, readSpec } from "./spec_file.ts";

/** Prints the metrics of a trained run, or of a spec's untrained model, as JSON. */
export async function evaluateCommand(
  path: string,
  options: Readonly<{ data?: string; set?: readonly string[] }>,
): Promise<number> {
  const run = compose((isDirectory(path) ? readRun(path) : readSpec(path, options.set)) as unknown as RunSpec, catalog);
  const data = options.data === undefined
    ? run.data.eval
    : run.use("dataset", { use: "jsonl", with: { path: resolve(options.data) } });
  if (!data) throw missing("evaluate", "data to evaluate on (--data, or data.eval of the spec)", path);
  const metrics = await evaluateRun(await openRun(run, await hostHere()), data);
  process.stdout.write(JSON.stringify(metrics, null, 2) + "\n");
  return exitCodes.done;
}

/** Prints one JSON line per row. */
export async function predictCommand(
  path: string,
  options: Readonly<{ input: string; hiddenStates?: boolean; attentions?: boolean }>,
): Promise<number> {
  const run = compose(readRun(path) as unknown as RunSpec, catalog);
  const open = await openRun(run, await hostHere());
  const outputs = { outputHiddenStates: options.hiddenStates ?? false, outputAttentions: options.attentions ?? false };
  for await (const prediction of predictRows(open, rowsOf(run, options.input), outputs)) {
    process.stdout.write(JSON.stringify(prediction) + "\n");
  }
  return exitCodes.done;
}

function rowsOf(run: Run, input: string): Dataset {
  if (input !== "-") return run.use("dataset", { use: "jsonl", with: { path: resolve(input) } });
  const rows: Row[] = readFileSync(0, "utf8").split("\n").flatMap((line, i) => {
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
  return run.use("dataset", { use: "memory", with: { rows } });
}
