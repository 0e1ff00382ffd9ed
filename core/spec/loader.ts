/** Loading of plugins by kind and name on demand, from catalogs, lists of imports and packages alike. */
import { AttuneError, unknownName } from "../base/errors.ts";
import { withNamedErrors } from "./named_errors.ts";
import { allKinds, type PluginPackage, withPackages } from "./packages.ts";
import { halfPrecisionOf } from "./half_precision.ts";
import { resolvePart } from "./resolve_part.ts";
import { entryIn, partsIn } from "./roles.ts";
import { specParts } from "./spec_parts.ts";
import type { Architecture, Catalog, Entry, Json, Kind, Named } from "../types.ts";

/** The import of a plugin; an architecture's lists its model types, so that only the one needed is imported. */
export type PluginImport =
  | (() => Promise<Entry>)
  | Readonly<{ modelTypes: readonly string[]; load: () => Promise<Entry> }>;

/** The imports of plugins, by kind and name. */
export type Imports = { readonly [K in Kind]?: { readonly [use: string]: PluginImport } };

/** A loader of plugins by kind and name. */
export interface PluginLoader {
  /** Returns the names of a kind's plugins. */
  names(kind: Kind): readonly string[];
  /** Loads the plugin of one of these names. */
  load(kind: Kind, name: string): Promise<Entry>;
  /** Returns the `model_type`s that an architecture reads, if known before it is loaded. */
  modelTypes?(architecture: string): readonly string[] | undefined;
}

/**
 * Creates a loader over catalogs, lists of imports and other loaders; the first that has a name provides the plugin.
 *
 * @example
 * ```ts
 * import { loaderOf } from "attune";
 * import { imports } from "attune/imports";
 * const loader = loaderOf(imports);
 * console.assert(loader.names("optimizer").includes("adamw") && loader.modelTypes?.("t5")?.includes("mt5"));
 * ```
 */
export function loaderOf(...sources: readonly (Catalog | Imports | PluginLoader)[]): PluginLoader {
  const loaders = sources.map((source) => (isLoader(source) ? source : loaderOfMap(source)));
  const loaderWith = (kind: Kind, name: string): PluginLoader | undefined =>
    loaders.find((loader) => loader.names(kind).includes(name));
  return {
    names: (kind) => [...new Set(loaders.flatMap((loader) => loader.names(kind)))],
    load: async (kind, name) => {
      const loader = loaderWith(kind, name);
      if (loader) return await loader.load(kind, name);
      throw unknownName("plugins", name, kind, name, loaders.flatMap((one) => one.names(kind)));
    },
    modelTypes: (name) => loaderWith("architecture", name)?.modelTypes?.(name),
  };
}

const isLoader = (source: object): source is PluginLoader =>
  "load" in source && typeof source.load === "function" && "names" in source && typeof source.names === "function";

function loaderOfMap(source: Catalog | Imports): PluginLoader {
  const plugins = source as { readonly [K in Kind]?: Named<Entry | PluginImport> };
  const entryOf = (kind: Kind, name: string): Entry | PluginImport | undefined => plugins[kind]?.[name];
  return {
    names: (kind) => Object.keys(plugins[kind] ?? {}),
    load: async (kind, name) => {
      const one = entryOf(kind, name) as Entry | PluginImport;
      if ("parse" in one) return one;
      return await (typeof one === "function" ? one() : one.load());
    },
    modelTypes: (name) => {
      const one = entryOf("architecture", name);
      return one !== undefined && "modelTypes" in one ? one.modelTypes : undefined;
    },
  };
}

/** Restricts a loader to plugins with allowed names, for runners. */
export function allowOnly(loader: PluginLoader, allowed: ReadonlySet<string>): PluginLoader {
  const names = (kind: Kind): readonly string[] => loader.names(kind).filter((name) => allowed.has(name));
  return {
    ...loader,
    names,
    load: async (kind, name) => {
      if (allowed.has(name)) return await loader.load(kind, name);
      throw unknownName("plugins", name, kind, name, names(kind));
    },
  };
}

/** Kinds that are loaded completely, because writing a run may need any plugin of them. */
const WHOLE: readonly Kind[] = ["exporter"];

/**
 * Loads a catalog with the plugins that a spec needs: those at its keys and defaults, those that these name in their
 * options in turn, and the default parts of its tasks. Other plugins are there only by name, for error messages. The
 * plugins of `packages` are included.
 *
 * @throws AttuneError (`BAD_PLUGIN`) if two plugins of a kind have the same name.
 */
export async function loadCatalog(
  spec: unknown,
  loader: PluginLoader,
  packages: readonly PluginPackage[] = [],
): Promise<Catalog> {
  const waiting = new Set<Entry>();
  const kinds: Record<string, Named<Entry>> = {};
  for (const kind of allKinds) {
    const names = loader.names(kind);
    if (names.length === 0) continue;
    kinds[kind] = Object.fromEntries(names.map((name) => [name, unloaded(kind, name)]));
    for (const entry of Object.values(kinds[kind])) waiting.add(entry);
  }
  const catalog = withPackages(kinds as Catalog, packages);
  const load = async (kind: Kind, name: string): Promise<void> => {
    const entry = entryIn(catalog, kind, name);
    if (!entry || !waiting.delete(entry)) return;
    (catalog[kind] as Record<string, Entry>)[name] = await loader.load(kind, name);
  };
  const loadParts = async (parts: Named<Json>): Promise<void> => {
    for (;;) {
      const unloaded = partsIn(parts, catalog).filter(({ kind, use }) => {
        const entry = entryIn(catalog, kind, use);
        return entry !== undefined && waiting.has(entry);
      });
      if (unloaded.length === 0) return;
      await Promise.all(unloaded.map(({ kind, use }) => load(kind, use)));
    }
  };
  const object = typeof spec === "object" && spec !== null && !Array.isArray(spec) ? spec as Named<Json> : {};
  const defaults = Object.entries(specParts).flatMap(([key, { fallback }]) =>
    fallback === undefined ? [] : [[key, fallback]]
  );
  await Promise.all(WHOLE.flatMap((kind) => loader.names(kind).map((name) => load(kind, name))));
  await loadParts(Object.fromEntries(defaults));
  const searched = object.search === undefined ? [] : (await import("./search_space.ts")).cornerSpecs(object);
  for (const one of [object, ...searched]) {
    await loadParts(one);
    await loadParts(halfPrecisionOf(one));
  }
  await loadParts(broughtByTask(object.task, catalog));
  return catalog;
}

/** Returns a spec of only the default parts of a spec's task. */
function broughtByTask(task: unknown, catalog: Catalog): Named<Json> {
  const learned = task === undefined ? [] : resolvePart("task", task, "task", { catalog, issues: [] })?.subtasks ?? [];
  const teachers = learned.flatMap(({ teacher }) => teacher ?? []);
  const subtasks = [...learned, ...teachers.map((teacher) => teacher.task)];
  return {
    model: teachers.map(({ model }) => model),
    tokenizer: teachers.flatMap(({ tokenizer }) => tokenizer ?? []),
    collator: subtasks.map(({ collator }) => collator),
    head: subtasks.flatMap(({ heads }) => heads),
    loss: subtasks.flatMap(({ losses }) => losses.map(({ loss }) => loss)),
    metrics: subtasks.flatMap(({ metrics }) => metrics),
  } as unknown as Named<Json>;
}

/** Returns a placeholder for a plugin that is not loaded, with its name. */
function unloaded(kind: Kind, use: string): Entry {
  const refuse = (): never => {
    const message = `The ${kind} "${use}" was not loaded, because the run spec does not name it`;
    throw new AttuneError(message, { code: "MISSING", plugin: use, path: kind });
  };
  return {
    kind,
    use,
    roles: {},
    get schema() {
      return refuse();
    },
    parse: refuse,
  };
}

/** Loads the architecture that reads models of a type. Throws AttuneError (`UNKNOWN_NAME`) if there is none. */
export async function findArchitecture(loader: PluginLoader, modelType: unknown): Promise<Architecture> {
  const names = loader.names("architecture");
  const types: string[] = [];
  for (const name of names) {
    const known = loader.modelTypes?.(name);
    if (known && !known.includes(String(modelType))) {
      types.push(...known);
      continue;
    }
    const entry = await loader.load("architecture", name) as Entry<"architecture">;
    const parsed = entry.parse({});
    if (parsed.issues) continue;
    const { modelTypes } = parsed.value;
    if (typeof modelType === "string" && modelTypes.includes(modelType)) return withNamedErrors(parsed.value);
    types.push(...modelTypes);
  }
  throw unknownName("spec", "config.json: model_type", "model type", String(modelType), types);
}
