/** Recipes as commands: command-line options, runs in a worker, exit codes. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { badValue, unknownName } from "../core/base/errors.ts";
import type { Host, Named, Study } from "../core/types.ts";
import { exitCode } from "../runtimes/cli/exit.ts";
import { crossvalidateSpec } from "../runtimes/cli/crossvalidate.ts";
import { trainSpec } from "../runtimes/cli/run.ts";
import { searchSpec } from "../runtimes/cli/search.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { flagName, type Option, type OptionInput, type Options } from "./options.ts";
import type { Recipe, RecipeCommand } from "./recipe.ts";
import { bestTrial } from "../runtimes/study/run_study.ts";
import type { TrialLine } from "../runtimes/study/study_files.ts";
import type { Metrics, Workbench } from "./workbench.ts";

/** Runs a recipe with the options of the command line, and sets the exit code. */
export async function runRecipe<T extends Options>(recipe: Recipe<T, unknown>): Promise<void> {
  process.exitCode = await exitCode(async () => {
    const options = parseOptions(recipe.command);
    if (options === undefined) return 0;
    try {
      await recipe(options, processBench());
      return 0;
    } catch (error) {
      // The run itself has already reported why it ended.
      const code = (error as { runEndedWith?: number } | null)?.runEndedWith;
      if (code === undefined) throw error;
      return code;
    }
  });
}

/** Throws if a run failed; the run itself has already reported why. */
function ended(what: string, code: number): void {
  if (code !== 0) throw Object.assign(new Error(`The ${what} ended with ${code}`), { runEndedWith: code });
}

const readJson = (folder: string, name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));

/** Creates the workbench of this process: its files, all plugins, and a worker that trains. */
function processBench(): Workbench {
  let host: Promise<Host> | undefined;
  return {
    host: () => host ??= hostHere(),
    catalog: async () => (await import("../plugins/catalog.ts")).catalog,
    train: async (spec, { output, ...options }) => {
      ended("run", await trainSpec(spec, { output, ...options }));
      return readJson(output, "metrics.json") as Metrics;
    },
    search: async (spec, { output, resume }) => {
      ended("search", await searchSpec(spec, { output, resume }));
      const trials = readFileSync(join(output, "search/trials.jsonl"), "utf8").trimEnd().split("\n");
      const { direction } = readJson(output, "search/study.json") as Study;
      const best = bestTrial(trials.map((line) => JSON.parse(line) as TrialLine), direction);
      const metricsOf = (run: string) => readJson(output, `search/${run}/metrics.json`) as Metrics;
      const usual = existsSync(join(output, "search/default")) ? metricsOf("default") : {};
      return { metrics: metricsOf("best"), usual, params: best?.params ?? {} };
    },
    crossvalidate: async (spec, { output, resume, folds, ...division }) => {
      const own = { repeats: 1, seed: 42, parallel: 1, ...division };
      ended("cross-validation", await crossvalidateSpec(spec, { output, resume, folds, ...own }));
      return readJson(output, "folds/metrics.json") as Named<{ mean: number; interval: [number, number] }>;
    },
    say: (text) => console.log(text),
  };
}

/**
 * Parses a recipe's options from the command line; prints help and returns undefined if that is requested.
 *
 * @throws AttuneError that names an unknown option, with the nearest name, or an option with a wrong value.
 */
function parseOptions<T extends Options>(command: RecipeCommand<T>): OptionInput<T> | undefined {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([key, option]) => [flagName(key), { key, own: option }]),
  );
  const types = Object.entries(options).map((
    [flag, { own }],
  ) => [flag.slice(2), { type: own.flag ? "boolean" : "string" }]);
  const config = { ...Object.fromEntries(types), help: { type: "boolean", short: "h" } } as ParseArgsOptionsConfig;
  const { tokens, values } = parseArgs({ options: config, strict: false, tokens: true });
  if (values.help) {
    process.stdout.write(helpOf(command));
    return undefined;
  }
  const parsed: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind === "positional") throw badValue("recipe", "arguments", token.value, "options, as --model DIR");
    if (token.kind !== "option") continue;
    const option = options[`--${token.name}`];
    if (!option) {
      throw unknownName("recipe", token.rawName, "option", token.rawName, [...Object.keys(options), "--help"]);
    }
    parsed[option.key] = parseValue(token.rawName, token.value, option.own);
  }
  return parsed as OptionInput<T>;
}

function parseValue(raw: string, value: string | undefined, { flag, number }: Option): boolean | number | string {
  if (flag) {
    if (value !== undefined) throw badValue("recipe", raw, value, "no value");
    return true;
  }
  if (value === undefined) throw badValue("recipe", raw, value, "a value");
  if (!number) return value;
  if (value.trim() === "" || !Number.isFinite(Number(value))) throw badValue("recipe", raw, value, "a number");
  return Number(value);
}

function helpOf({ name, summary, options }: RecipeCommand<Options>): string {
  const rows = Object.entries(options).map(([key, option]) => [
    `${flagName(key)}${option.flag ? "" : option.number ? " <n>" : " <text>"}`,
    `${option.says}${option.default === undefined || option.default === -1 ? "" : ` (default: ${option.default})`}`,
  ]);
  const width = Math.max(...rows.map(([left = ""]) => left.length));
  const lines = rows.map(([left = "", right]) => `  ${left.padEnd(width)}  ${right}`);
  return `${name}: ${summary}\n\n${lines.join("\n")}\n  ${"--help".padEnd(width)}  show this help\n`;
}
