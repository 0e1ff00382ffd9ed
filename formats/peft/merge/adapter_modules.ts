/** Parts of adapters other than updates: modules that were fully trained, and the lists of adapted modules. */
import { badValue, refused } from "../../../core/base/errors.ts";
import type { Json } from "../../../core/types.ts";
import type { OpenedAdapter } from "./config.ts";
import type { MergeOptions } from "./merged_adapter.ts";
import { wrappedLayer } from "../wrapped_key.ts";

/**
 * Returns the adapter of each fully trained tensor. As these cannot be summed, only one adapter may have them, unless
 * `modulesFrom` chooses one. Throws AttuneError otherwise.
 */
export function savedModules(
  opened: readonly OpenedAdapter[],
  isMerged: (name: string) => boolean,
  { modulesFrom }: MergeOptions,
): ReadonlyMap<string, OpenedAdapter> {
  if (modulesFrom !== undefined && !opened[modulesFrom]) {
    throw badValue("merge", "modulesFrom", modulesFrom, `a number from 0 to ${opened.length - 1}`);
  }
  const modules = new Map<string, OpenedAdapter>();
  for (const [i, adapter] of opened.entries()) {
    for (const name of adapter.names) {
      if (isMerged(name) || (modulesFrom !== undefined && modulesFrom !== i)) continue;
      const other = modules.get(name);
      // The table under an update is the base's in each of them.
      if (other && name.includes(wrappedLayer)) continue;
      if (other) {
        throw refused(
          "merge",
          `${other.label} and ${adapter.label} both have "${name}", a fully trained module, which cannot be merged: ` +
            `choose one with modulesFrom (--modules-from)`,
        );
      }
      modules.set(name, adapter);
    }
  }
  return modules;
}

/** Returns the `target_modules` of all adapters together. Throws AttuneError if some are lists and others patterns. */
export function mergedTargets(opened: readonly OpenedAdapter[]): Json {
  const targets = opened.map(({ config }) => config.target_modules ?? null);
  if (targets.every((t) => typeof t === "string")) {
    return new Set(targets).size === 1 ? targets[0] as string : targets.map((t) => `(${t})`).join("|");
  }
  if (!targets.every(Array.isArray)) {
    throw badValue("merge", "target_modules", targets, "lists in all adapters, or patterns in all of them");
  }
  return [...new Set(targets.flat() as string[])].sort();
}
