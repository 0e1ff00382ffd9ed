/** Runs a recipe from the command line if its module is started as a program; the last line of each recipe's module. */
import type { Options } from "./options.ts";
import type { Recipe } from "./recipe.ts";

/** Whether a module was started as the program. */
export function isMain(meta: ImportMeta): boolean {
  if (meta.main !== undefined) return meta.main;
  // Node before 24.2 has no `import.meta.main`. A page has no process.
  const { process } = globalThis as { process?: NodeJS.Process };
  const script = process?.argv[1];
  if (script === undefined) return false;
  const { realpathSync } = process?.getBuiltinModule("node:fs") ?? {};
  const { pathToFileURL } = process?.getBuiltinModule("node:url") ?? {};
  return realpathSync !== undefined && pathToFileURL?.(realpathSync(script)).href === meta.url;
}

/** Runs a recipe from the command line if its module was started as the program; otherwise does nothing. */
export async function runIfMain<T extends Options>(meta: ImportMeta, recipe: Recipe<T, unknown>): Promise<void> {
  if (!isMain(meta)) return;
  // Not a literal, so that a bundle of a recipe for a page does not include the command line.
  const command = new URL("./command.ts", import.meta.url).href;
  const { runRecipe } = await import(command) as typeof import("./command.ts");
  await runRecipe(recipe);
}
