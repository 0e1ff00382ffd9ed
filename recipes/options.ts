/**
 * The options of recipes' command lines: what they are called, what they say, and what is wrong with those that are given.
 * @module
 */
import process from "node:process";
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { AttuneError, badValue, unknownName } from "../core/errors.ts";
import type { Named } from "../core/types.ts";
import { exitCode } from "../runtimes/cli/exit.ts";

// What a recipe throws is said as the command line says it.
process.on(
  "uncaughtException",
  (error) => void exitCode(() => Promise.reject(error)).then((code) => process.exit(code)),
);

/** One option. `flag`: it has no value; `number`: its value is one. */
export type Option = Readonly<{ says: string; default?: string; flag?: true; number?: true }>;

/** Options by name, as `max-length`. */
export type Options = Named<Option>;

/** What a command line says. */
export type Values<T extends Options> = {
  readonly [K in keyof T]: T[K] extends { flag: true } ? boolean
    : T[K] extends { default: string } ? string
    : string | undefined;
};

/** Options of every recipe. */
export const common = {
  model: { says: "a directory, a name of the hub, or attune:base", default: "attune:base" },
  adapter: { says: "an adapter's name, as lora; without it all of the model trains" },
  data: {
    says: "hub:org/name, a file (.jsonl, .json, .csv, .parquet), reviews or brown; without it the recipe's own rows",
  },
  columns: { says: "what columns of --data are called, as text=review,label=stars" },
  config: { says: "a data set's configuration on the hub" },
  "train-split": { says: "the split to train on", default: "train" },
  "eval-split": { says: "the split to measure on", default: "test" },
  rows: { says: "at most so many rows to train on, and a quarter as many to measure on", number: true },
  epochs: { says: "how often all rows are seen", number: true },
  steps: { says: "optimizer steps in place of epochs", default: "-1", number: true },
  rate: { says: "learning rate", number: true },
  batch: { says: "rows of a batch", number: true },
  "max-length": { says: "tokens of the longest input", number: true },
  seed: { says: "what everything random follows from", default: "42", number: true },
  output: { says: "where to (default: runs/<recipe>-<time>)" },
  resume: { says: "go on with what --output holds", flag: true },
} as const satisfies Options;

/** What the command line of every recipe says. */
export type Settings = Omit<Values<typeof common>, "output"> & Readonly<{ output: string }>;

/** The options of a recipe's command line: those of every recipe, and `own`. `--help` prints them and ends the process. */
export function parseSettings<T extends Options>(name: string, summary: string, own?: T): Settings & Values<T> {
  return valuesOf(name, summary, { ...common, ...own }) as unknown as Settings & Values<T>;
}

/**
 * What a command line says of some options; `output` has a default of its own. `--help` prints them and ends the process.
 *
 * @throws AttuneError that names what is unknown, with the nearest name, or has no value of its kind.
 */
export function valuesOf<T extends Options>(
  name: string,
  summary: string,
  options: T,
): Values<T> & Readonly<{ output: string }> {
  const types = Object.entries<Option>(options).map(([key, { flag }]) => [key, { type: flag ? "boolean" : "string" }]);
  const config = { ...Object.fromEntries(types), help: { type: "boolean", short: "h" } } as ParseArgsOptionsConfig;
  const { tokens, values: given } = parseArgs({ options: config, strict: false, tokens: true });
  if (given.help) {
    process.stdout.write(helpOf(name, summary, options));
    process.exit(0);
  }
  for (const token of tokens) {
    if (token.kind === "positional") throw badValue("recipe", "arguments", token.value, "options, as --model DIR");
    if (token.kind !== "option") continue;
    checkOption(token.rawName, token.value, options[token.name], Object.keys(options));
  }
  if (given.resume === true && "output" in options && given.output === undefined) {
    throw new AttuneError("--resume: name the folder of the earlier attempt with --output", {
      code: "USAGE",
      plugin: "recipe",
    });
  }
  if (given.columns !== undefined && given.data === undefined) {
    throw new AttuneError("--columns: names those of --data, which is not given", { code: "USAGE", plugin: "recipe" });
  }
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const defaults = Object.entries<Option>(options).map(([key, own]) => [key, own.flag ? false : own.default]);
  return { ...Object.fromEntries(defaults), output: `runs/${name}-${time}`, ...given } as unknown as
    & Values<T>
    & Readonly<{ output: string }>;
}

function checkOption(raw: string, value: string | undefined, option: Option | undefined, names: string[]): void {
  if (!option) {
    throw unknownName("recipe", raw, "option", raw, [...names, "help"].map((key) => `--${key}`));
  }
  if (option.flag ? value !== undefined : value === undefined) {
    throw badValue("recipe", raw, value, option.flag ? "no value" : "a value");
  }
  if (option.number && (value?.trim() === "" || !Number.isFinite(Number(value)))) {
    throw badValue("recipe", raw, value, "a number");
  }
}

function helpOf(name: string, summary: string, options: Options): string {
  const rows = Object.entries(options).map(([key, own]) => [
    `--${key}${own.flag ? "" : own.number ? " <n>" : " <text>"}`,
    `${own.says}${own.default === undefined || own.default === "-1" ? "" : ` (default: ${own.default})`}`,
  ]);
  const width = Math.max(...rows.map(([left = ""]) => left.length));
  const lines = rows.map(([left = "", right]) => `  ${left.padEnd(width)}  ${right}`);
  return `${name}: ${summary}\n\n${lines.join("\n")}\n  ${"--help".padEnd(width)}  this\n`;
}

/** What `--columns` says: by the task's name of each column the one that the rows have. */
export function columnsOf({ columns }: Readonly<{ columns?: string | undefined }>): Named<string> {
  const pairs = (columns ?? "").split(",").filter((part) => part !== "").map((part): [string, string] => {
    const at = part.indexOf("=");
    if (at < 1 || at === part.length - 1) throw badValue("recipe", "--columns", part, "name=column, as text=review");
    return [part.slice(0, at), part.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}
