/**
 * A recipe is a function of options and a workbench. Its module does nothing when it is imported; started, it is a command.
 */
import type { Named } from "../core/types.ts";
import { type OptionInput, type Options, readOptions, type Values } from "./options.ts";
import type { Workbench } from "./workbench.ts";

/** What a recipe measured: by what is measured, the scores of this run and of what it is to be compared with. */
export type Scores = Named<Named<number>>;

/** What a command line knows of a recipe. */
export type RecipeCommand<T extends Options> = Readonly<{ name: string; summary: string; options: T }>;

/** A recipe. Throws AttuneError if an option is not one, and whatever its runs throw. */
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
