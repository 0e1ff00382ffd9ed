/** Plugins of packages, in addition to the built-in ones: validation of exports, and extended catalogs. */
import { AttuneError, show } from "../base/errors.ts";
import type { Catalog, Entry, Kind, Named } from "../types.ts";

/** The plugins of a package. `name`: its name in specs, servers and runners, or an absolute path. */
export type PluginPackage = Readonly<{
  name: string;
  entries: readonly Entry[];
  /** Its export `conformance`: options for the conformance tests, by kind and name. */
  conformance?: Named<object>;
}>;

/** The packages that catalogs were extended with, kept here because a catalog itself holds only plugins. */
const packages = new WeakMap<object, readonly string[]>();

/** Returns the names of the packages that a catalog was extended with. */
export const packagesOf = (catalog: Catalog): readonly string[] => packages.get(catalog) ?? [];

/**
 * Returns a catalog extended with the plugins of packages.
 *
 * @throws AttuneError (`BAD_PLUGIN`) if two plugins of a kind have the same name.
 * @example
 * ```ts
 * import { withPackages } from "attune";
 * import { catalog } from "attune/catalog";
 * import { constant } from "attune/schedules/constant";
 * const entry = { ...constant, use: "flat" };
 * const more = withPackages(catalog, [{ name: "attune-plugin-flat", entries: [entry] }]);
 * console.assert(more.schedule?.flat === entry && catalog.schedule?.flat === undefined);
 * ```
 */
export function withPackages(catalog: Catalog, added: readonly PluginPackage[]): Catalog {
  if (added.length === 0) return catalog;
  const all: Record<string, Named<Entry>> = { ...catalog };
  for (const { name, entries } of added) {
    for (const entry of entries) {
      const { kind, use } = entry;
      const there = all[kind]?.[use];
      if (there !== undefined && there !== entry) {
        throw badPackage(name, `its ${kind} "${use}" has the name of another ${kind}: rename it`);
      }
      all[kind] = { ...all[kind], [use]: entry };
    }
  }
  const extended = all as Catalog;
  packages.set(extended, [...packagesOf(catalog), ...added.map(({ name }) => name)]);
  return extended;
}

/** Returns the plugins in a package's default export. Throws AttuneError (`BAD_PLUGIN`) if it is something else. */
export function entriesOf(name: string, exported: unknown): readonly Entry[] {
  const list: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
  if (exported === undefined || list.length === 0) {
    throw badPackage(name, "its default export is missing; it must be a plugin, or a list of plugins");
  }
  return list.map((one, i) => {
    const what = Array.isArray(exported) ? `item ${i} of its default export` : "its default export";
    if (!isObject(one)) throw badPackage(name, `${what} is ${show(one)}, not a plugin`);
    const { kind, use, parse } = one as Partial<Entry>;
    if (parse === undefined && "options" in one) {
      throw badPackage(name, `${what} is a plugin with options: export the function that \`define\` returns`);
    }
    if (typeof parse !== "function" || typeof use !== "string") {
      throw badPackage(name, `${what} is not a plugin: \`define\` makes them`);
    }
    if (!Object.hasOwn(kinds, String(kind))) {
      throw badPackage(name, `${what} is of the kind ${show(kind)}. Allowed: ${Object.keys(kinds).join(", ")}`);
    }
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(use)) {
      throw badPackage(name, `${what} is named ${show(use)}; names are lower-case words with dashes between`);
    }
    return one as unknown as Entry;
  });
}

/** Returns the error for a package that does not export plugins properly. */
export function badPackage(name: string, problem: string, cause?: unknown): AttuneError {
  return new AttuneError(`${name}: ${problem}`, { code: "BAD_PLUGIN", plugin: "plugins", path: name, cause });
}

const isObject = (value: unknown): value is object =>
  typeof value === "function" || (typeof value === "object" && value !== null);

const kinds: { readonly [K in Kind]: true } = {
  model: true,
  architecture: true,
  tokenizer: true,
  data: true,
  transform: true,
  collator: true,
  head: true,
  loss: true,
  task: true,
  adapter: true,
  optimizer: true,
  schedule: true,
  regularizer: true,
  accelerator: true,
  metric: true,
  callback: true,
  logger: true,
  store: true,
  exporter: true,
  search: true,
  pruner: true,
  queue: true,
  trainer: true,
};

/** Every kind of plugin. */
export const allKinds: readonly Kind[] = Object.keys(kinds) as Kind[];
