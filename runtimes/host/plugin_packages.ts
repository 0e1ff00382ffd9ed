/**
 * Plugins from packages that a run spec, a server or a runner names.
 * @module
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { compose } from "../../core/spec/compose.ts";
import { badPackage, entriesOf, type PluginPackage, withPackages } from "../../core/spec/packages.ts";
import type { Catalog, Json, Named, Run, RunSpec } from "../../core/types.ts";

/**
 * Loads the built-in catalog with the packages in a spec's `plugins`, which are resolved from `folder`.
 *
 * @throws AttuneError (`BAD_PLUGIN`) if one is not installed or provides no plugins.
 * @example
 * ```ts
 * import { catalogFor } from "attune/plugins";
 * const all = await catalogFor({ plugins: [] });
 * console.assert(all.adapter?.lora !== undefined);
 * ```
 */
export async function catalogFor(
  spec: Readonly<{ plugins?: unknown }>,
  folder: string = process.cwd(),
): Promise<Catalog> {
  const { catalog } = await import("../../plugins/catalog.ts");
  return withPackages(catalog, await loadPackages(namesIn(spec), folder));
}

/** Composes a spec as JSON with the packages that it names. Throws AttuneError as `compose` does. */
export async function composed(spec: Named<Json>): Promise<Run> {
  return compose(spec as unknown as RunSpec, await catalogFor(spec));
}

/** Returns the names of a spec's packages; if they are no list of names, `compose` reports that. */
export function namesIn({ plugins }: Readonly<{ plugins?: unknown }>): string[] {
  return Array.isArray(plugins) ? plugins.filter((name) => typeof name === "string" && name !== "") : [];
}

/** Imports packages, resolved from `folder`. Throws AttuneError (`BAD_PLUGIN`) that says which is wrong, and how. */
export async function loadPackages(names: readonly string[], folder: string): Promise<PluginPackage[]> {
  // In a checkout, whose files are TypeScript, Deno must have loaded the modules that a package imports beforehand.
  if (names.length > 0 && process.versions.deno && import.meta.url.endsWith(".ts")) await import("../../mod.ts");
  const loaded: PluginPackage[] = [];
  for (const name of new Set(names)) {
    const entry = entryOf(name, packagePath(name, folder));
    let module: Named<unknown>;
    try {
      module = await import(pathToFileURL(entry).href);
    } catch (error) {
      throw badPackage(name, `${entry} cannot be imported: ${error instanceof Error ? error.message : error}`, error);
    }
    const { conformance } = module;
    loaded.push({
      name,
      entries: entriesOf(name, module.default),
      ...(typeof conformance === "object" && conformance !== null ? { conformance: conformance as Named<object> } : {}),
    });
  }
  return loaded;
}

/** Replaces a spec's package names by paths, so that it means the same from any folder. */
export function resolvePackages(spec: Named<Json>, folder: string): Named<Json> {
  const { plugins } = spec;
  if (!Array.isArray(plugins)) return spec;
  return {
    ...spec,
    plugins: plugins.map((name) => (typeof name === "string" && name !== "" ? packagePath(name, folder) : name)),
  };
}

/** Returns the path of a package: relative to `folder`, or in the node_modules of `folder` or of a folder above it. */
export function packagePath(name: string, folder: string): string {
  if (isAbsolute(name) || /^\.{1,2}([/\\]|$)/.test(name)) {
    const path = resolve(folder, name);
    if (existsSync(path)) return path;
    throw badPackage(name, `${path} does not exist`);
  }
  if (!/^(@[\w.-]+\/)?[\w.-]+$/.test(name)) {
    throw badPackage(name, "expected the name of a package, or a path that starts with ./");
  }
  for (let at = resolve(folder);; at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (existsSync(join(path, "package.json"))) return path;
    if (dirname(at) === at) throw badPackage(name, `is not installed in ${resolve(folder)}: npm install ${name}`);
  }
}

/** Returns the module that `import` would load from a package's folder; a path to a file is that module itself. */
function entryOf(name: string, path: string): string {
  if (!statSync(path).isDirectory()) return path;
  const file = join(path, "package.json");
  if (!existsSync(file)) throw badPackage(name, `${path} has no package.json`);
  const { exports, main } = JSON.parse(readFileSync(file, "utf8")) as Named<unknown>;
  const entry = join(path, exported(exports) ?? (typeof main === "string" ? main : "index.js"));
  const module = [entry, `${entry}.js`, join(entry, "index.js")].find((one) =>
    existsSync(one) && statSync(one).isFile()
  );
  if (!module) throw badPackage(name, `${entry}, which its package.json names, does not exist`);
  return module;
}

/** Returns the target of "." in `exports`, under the conditions of an import here. */
function exported(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(exported).find((one) => one !== undefined);
  if (typeof value !== "object" || value === null) return undefined;
  const candidate = value as Named<unknown>;
  if ("." in candidate) return exported(candidate["."]);
  const runtime = process.versions.bun ? ["bun", "node"] : process.versions.deno ? ["deno", "node"] : ["node"];
  for (const [condition, inner] of Object.entries(candidate)) {
    if (![...runtime, "import", "module-sync", "default"].includes(condition)) continue;
    const plugin = exported(inner);
    if (plugin !== undefined) return plugin;
  }
  return undefined;
}
