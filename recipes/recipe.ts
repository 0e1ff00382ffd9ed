/**
 * A recipe is a function of options and a workbench. Importing its module does nothing; starting it runs a command.
 */
import type { Named } from "../core/types.ts";
import { type OptionInput, type Options, readOptions, type Values } from "./options.ts";
import type { Workbench } from "./workbench.ts";

/** Measured scores: by metric, the scores of this run and of its baselines. */
export type Scores = Named<Named<number>>;

/** A recipe's description for the command line. */
export type RecipeCommand<T extends Options> = Readonly<{ name: string; summary: string; options: T }>;

/** A recipe. Throws AttuneError if an option is invalid, and any error of its runs. */
export type Recipe<T extends Options, R> =
  & ((options: OptionInput<T>, bench: Workbench) => Promise<R>)
  & Readonly<{ command: RecipeCommand<T> }>;

/**
 * Makes a recipe.
 *
 * @example
 * ```ts
 * const { accuracy } = await sentiment({ rows: 200, epochs: 1 }, createWorkbench(host, catalog));
 * ```
 */
export function defineRecipe<const T extends Options, R>(
  { run, ...command }: RecipeCommand<T> & Readonly<{ run: (options: Values<T>, bench: Workbench) => Promise<R> }>,
): Recipe<T, R> {
  const recipe = async (given: OptionInput<T>, bench: Workbench): Promise<R> =>
    await run(readOptions(command.name, command.options, given), bench);
  return Object.assign(recipe, { command });
}
