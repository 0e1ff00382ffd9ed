/** The last line of a recipe's module: started as a program, it runs its recipe by the command line. */
import type { Options } from "./options.ts";
import type { Recipe } from "./recipe.ts";

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
