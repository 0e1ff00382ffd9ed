/** Options of recipes: their names, descriptions and validation. */
import { AttuneError, badValue, unknownName } from "../core/base/errors.ts";
import type { Json, Named } from "../core/types.ts";

/** Data sets of a run spec: for training, for evaluation during training, and optionally for the final report. */
export type Data = Readonly<{ train: Named<Json>; eval: Named<Json>; test?: Named<Json> }>;

/**
 * One option. `flag`: a boolean, without a value on the command line; `number`: its value is a number; `rows`: its
 * value is a text, or `Data` if a program calls the recipe.
 */
export type Option = Readonly<{ says: string; default?: string | number; flag?: true; number?: true; rows?: true }>;

/** Options by name. `maxLength` is `--max-length` on a command line. */
export type Options = Named<Option>;

type ValueOf<O> = O extends { flag: true } ? boolean
  : O extends { number: true } ? number
  : O extends { rows: true } ? string | Data
  : string;

/** Options as a caller gives them. */
export type OptionInput<T extends Options> = { readonly [K in keyof T]?: ValueOf<T[K]> | undefined };

/** Options as a recipe reads them, with defaults filled in. */
export type Values<T extends Options> =
  & {
    readonly [K in keyof T]: T[K] extends { flag: true } | { default: string | number } ? ValueOf<T[K]>
      : ValueOf<T[K]> | undefined;
  }
  & Readonly<{ output: string }>;

/** Options of every recipe. */
export const common = {
  model: { says: "a folder, a name on the hub, or attune:base", default: "attune:base" },
  adapter: { says: "an adapter, such as lora; without one, all parameters train" },
  data: {
    says: "hub:org/name, a file (.jsonl, .json, .csv, .parquet), reviews or brown; default: the recipe's own rows",
    rows: true,
  },
  columns: { says: "column names in --data, as text=review,label=stars" },
  config: { says: "the configuration of a data set on the hub" },
  trainSplit: { says: "the split to train on", default: "train" },
  evalSplit: { says: "the split to evaluate on", default: "test" },
  test: {
    says:
      "test rows, which nothing sees before the end: a share of the evaluation rows, as 0.5, or rows named like --data",
  },
  testSplit: { says: "the split of --test, if it has several", default: "test" },
  rows: { says: "the largest number of training rows; evaluation uses a quarter as many", number: true },
  epochs: { says: "passes over all rows", number: true },
  steps: { says: "optimizer steps, instead of epochs", default: -1, number: true },
  rate: { says: "learning rate", number: true },
  batch: { says: "rows per batch", number: true },
  maxLength: { says: "the longest input in tokens", number: true },
  seed: { says: "the seed of all randomness", default: 42, number: true },
  output: { says: "output folder (default: runs/<recipe>-<time>)" },
  resume: { says: "continue an interrupted run in --output", flag: true },
} as const satisfies Options;

/** Values of the common options. */
export type Settings = Values<typeof common>;

/** Returns an option's name on the command line: `--max-length` for `maxLength`. */
export function flagName(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * Returns the options that a recipe runs with: the given ones, and the defaults of the others.
 *
 * @throws AttuneError that names an unknown option, with the nearest name, or an option with a wrong value.
 */
export function readOptions<T extends Options>(name: string, options: T, input: OptionInput<T>): Values<T> {
  const said = Object.entries(input).filter(([, value]) => value !== undefined);
  for (const [key, value] of said) {
    const option = Object.hasOwn(options, key) ? options[key] : undefined;
    if (!option) throw unknownName("recipe", key, "option", key, Object.keys(options));
    checkValue(flagName(key), option, value);
  }
  const { output, resume, columns, data } = input as OptionInput<typeof common>;
  const usage = { code: "USAGE", plugin: "recipe" };
  if (resume === true && "output" in options && output === undefined) {
    throw new AttuneError("--resume: name the folder of the earlier attempt with --output", usage);
  }
  if (columns !== undefined && data === undefined) {
    throw new AttuneError("--columns: renames columns of --data, which is missing", usage);
  }
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const defaults = Object.entries<Option>(options).map(([key, option]) => [key, option.flag ? false : option.default]);
  return {
    ...Object.fromEntries(defaults),
    output: `runs/${name}-${time}`,
    ...Object.fromEntries(said),
  } as unknown as Values<T>;
}

function checkValue(name: string, { flag, number, rows }: Option, value: unknown): void {
  if (flag) {
    if (typeof value !== "boolean") throw badValue("recipe", name, value, "true or false");
  } else if (number) {
    if (!Number.isFinite(value)) throw badValue("recipe", name, value, "a number");
  } else if (rows && typeof value === "object" && value !== null) {
    if (!("train" in value && "eval" in value)) {
      throw badValue("recipe", name, value, "{ train, eval } or { train, eval, test }");
    }
  } else if (typeof value !== "string") {
    throw badValue("recipe", name, value, rows ? "a text, or { train, eval }" : "a text");
  }
}

/** Parses `--columns`: from the task's name of each column to the rows' name. */
export function columnsOf({ columns }: Readonly<{ columns?: string | undefined }>): Named<string> {
  const pairs = (columns ?? "").split(",").filter((part) => part !== "").map((part): [string, string] => {
    const at = part.indexOf("=");
    if (at < 1 || at === part.length - 1) throw badValue("recipe", "--columns", part, "name=column, as text=review");
    return [part.slice(0, at), part.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}
