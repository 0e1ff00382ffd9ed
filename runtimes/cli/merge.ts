/**
 * `attune merge`: several adapters as one.
 * @module
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { badValue, missing } from "../../core/errors.ts";
import { mergeAdapters, writeMerged } from "../../core/merge/adapters.ts";
import { type MergeMethod, mergeMethods } from "../../core/merge/methods.ts";
import { hostHere } from "../train.ts";
import { exitCodes } from "./exit.ts";

/** Options of the command, as commander gives them. */
export type MergeCommandOptions = Readonly<{
  method: string;
  output: string;
  weights?: string;
  density?: string;
  svdRank?: string;
  majoritySign?: string;
  modulesFrom?: string;
  seed?: string;
}>;

/** Merges adapter directories and writes the result. */
export async function mergeCommand(paths: readonly string[], options: MergeCommandOptions): Promise<number> {
  const host = await hostHere(1);
  const directory = host.directory;
  if (!directory) throw missing("merge", "access to files", host.runtime);
  const number = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value)) throw badValue("merge", `--${name}`, text, "a number");
    return value;
  };
  const method = mergeMethods.find((m) => m === options.method);
  if (!method) throw badValue("merge", "--method", options.method, `one of ${mergeMethods.join(", ")}`);
  const sign = options.majoritySign;
  if (sign !== undefined && sign !== "total" && sign !== "frequency") {
    throw badValue("merge", "--majority-sign", sign, "total or frequency");
  }
  const merged = await mergeAdapters(paths.map((path) => ({ label: path, store: directory(resolve(path)) })), {
    method: method satisfies MergeMethod,
    weights: options.weights?.split(",").map((w) => number("weights", w) ?? NaN),
    density: number("density", options.density),
    svdRank: number("svd-rank", options.svdRank),
    majoritySignMethod: sign,
    modulesFrom: number("modules-from", options.modulesFrom),
    seed: number("seed", options.seed),
  });
  const output = resolve(options.output);
  mkdirSync(output, { recursive: true });
  for (const file of await writeMerged(merged, directory(output))) process.stdout.write(`${join(output, file)}\n`);
  return exitCodes.done;
}
