/**
 * A recipe is a function of options and a workbench. Its module does nothing when it is imported; started, it is a command.
 * @module
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

/** Whether a module is the one that was started. */
export function isMain(meta: ImportMeta): boolean {
  if (meta.main !== undefined) return meta.main;
  // Node before 24.2 does not tell. A page has no process.
  const { process } = globalThis as { process?: NodeJS.Process };
  const script = process?.argv[1];
  if (script === undefined) return false;
  const { realpathSync } = process?.getBuiltinModule("node:fs") ?? {};
  const { pathToFileURL } = process?.getBuiltinModule("node:url") ?? {};
  return realpathSync !== undefined && pathToFileURL?.(realpathSync(script)).href === meta.url;
}

/** Runs a recipe by the command line where its module is the one that was started; otherwise does nothing. */
export async function runIfMain<T extends Options>(meta: ImportMeta, recipe: Recipe<T, unknown>): Promise<void> {
  if (!isMain(meta)) return;
  // Not a literal: what bundles a recipe for a page leaves the command line out.
  const command = new URL("./command.ts", import.meta.url).href;
  const { runRecipe } = await import(command) as typeof import("./command.ts");
  await runRecipe(recipe);
}
