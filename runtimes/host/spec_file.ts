/** Reading of run specs from files: relative paths become absolute, and --set changes values. */
import { overWholeWeights } from "../../core/spec/whole_weights.ts";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { AttuneError, badFile, badValue } from "../../core/base/errors.ts";
import { loadCatalog, loaderOf } from "../../core/spec/loader.ts";
import { missingIn } from "../../core/files/missing_folder.ts";
import { placedPaths } from "../../core/run/write/places.ts";
import { cornersOf, spaceIn, trialSpec } from "../../core/spec/search_space.ts";
import { leadsIntoDefault, partNamer } from "../../core/spec/default_parts.ts";
import { setAt, valueAt } from "../../core/spec/spec_paths.ts";
import type { Catalog, Json, Named } from "../../core/types.ts";
import { imports } from "../../plugins/imports.ts";
import { namesIn } from "./folder_names.ts";
import { loadPackages, namesIn as packagesIn, resolvePackages } from "./plugin_packages.ts";
import { MODEL_CONFIG } from "../../formats/hf/model_config.ts";
import { adapterFiles } from "../../formats/peft/files.ts";
import { runFolders } from "../../formats/run/files.ts";

/** Reads a spec with its packages, changed by `set`. Throws AttuneError if it is missing or not JSON. */
export async function readSpec(path: string, set: readonly string[] = []): Promise<Named<Json>> {
  if (!existsSync(path)) throw missingIn("spec", "spec.json", path, { names: namesIn, resolve });
  let spec: Json;
  try {
    spec = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw badFile(
      "spec",
      path,
      `is not JSON (${String(cause instanceof Error ? cause.message : cause).replace(/\s+/g, " ")})`,
    );
  }
  if (typeof spec !== "object" || spec === null || Array.isArray(spec)) throw badValue("spec", path, spec, "an object");
  const folder = dirname(resolve(path));
  let changed = spec as Named<Json>;
  for (const change of set) changed = await changedBy(changed, change, folder);
  const named = resolvePackages(changed, folder);
  const catalog = await catalogOf(named, folder);
  const place = (one: Named<Json>): Named<Json> =>
    placedPaths(one, catalog, (own, name) => {
      const full = resolve(folder, own);
      return name && !existsSync(full) ? own : full;
    });
  return placedChoices(place(named), catalog, place);
}

/** Loads the plugins that a spec names; packages are resolved from `folder`. */
async function catalogOf(spec: Named<Json>, folder: string): Promise<Catalog> {
  return await loadCatalog(spec, loaderOf(imports), await loadPackages(packagesIn(spec), folder));
}

/** Makes paths absolute among the choices of a spec's search, and among the conditions on these choices. */
function placedChoices(spec: Named<Json>, catalog: Catalog, place: (spec: Named<Json>) => Named<Json>): Named<Json> {
  const known = spaceIn(spec);
  const placed = new Map<string, Json>();
  const keyOf = (path: string, value: Json): string => JSON.stringify([path, value]);
  for (const { path, value, params } of cornersOf(known)) {
    placed.set(keyOf(path, value), valueAt(place(trialSpec(spec, params, partNamer(catalog))), path) ?? value);
  }
  const placedAt = (path: string, value: Json): Json => {
    const own = placed.get(keyOf(path, value));
    return own === undefined && Array.isArray(value) ? value.map((one) => placedAt(path, one)) : own ?? value;
  };
  const { search } = spec as { search?: { with?: { space?: Named<Json> } } };
  const space = Object.entries(known).map(([path, own]): [string, unknown] => {
    const when = Object.entries(own.when ?? {}).map(([other, wanted]) => [other, placedAt(other, wanted)]);
    const choices = own.type === "categorical" ? { choices: own.choices.map((choice) => placedAt(path, choice)) } : {};
    return [path, { ...own, ...choices, ...(own.when ? { when: Object.fromEntries(when) } : {}) }];
  });
  if (space.length === 0) return spec;
  const all = { ...search?.with?.space, ...Object.fromEntries(space) };
  return { ...spec, search: { ...search, with: { ...search?.with, space: all } } } as unknown as Named<Json>;
}

/** Returns the path of a command's spec, which may also be named by the folder of the run that wrote it. */
export async function specPath(path: string): Promise<string> {
  if (!isDirectory(path)) return path;
  const own = join(path, "spec.json");
  if (existsSync(own)) return own;
  throw await (await import("./folder_spec.ts")).notARun(path);
}

/** Returns the names of a finished run's tasks, if it has several. */
export async function taskNames(dir: string): Promise<readonly string[]> {
  const path = join(dir, "spec.json");
  return existsSync(path) ? Object.keys(tasksOf(await readSpec(path)) ?? {}) : [];
}

/**
 * Reads the spec of a finished run, with its model or adapter in place of the base. `task`: one of several tasks, as a
 * run of its own, whose results are in folders of that name. `set`: values to change in the spec.
 */
export async function readRun(dir: string, task?: string, set: readonly string[] = []): Promise<Named<Json>> {
  const path = join(dir, "spec.json");
  if (!isDirectory(dir)) throw missingIn("spec", "spec.json", dir, { names: namesIn, resolve });
  const single = (): AttuneError =>
    new AttuneError(`${dir} has a single task without a name: leave out --task ${task}`, {
      code: "USAGE",
      plugin: "spec",
      found: task,
    });
  if (!existsSync(path)) {
    let spec = await (await import("./folder_spec.ts")).folderSpec(dir);
    if (task !== undefined) throw single();
    for (const change of set) spec = await changedBy(spec, change, process.cwd());
    return spec;
  }
  // The spec gets another model, so its versions and fingerprints no longer apply.
  const { versions: _versions, fingerprints: _fingerprints, ...whole } = await readSpec(path, set) as Record<
    string,
    Json
  >;
  const tasks = tasksOf(whole);
  const own = task === undefined ? undefined : tasks?.[task];
  if (!tasks && task !== undefined) throw single();
  if (tasks && !own) {
    const names = Object.keys(tasks);
    throw new AttuneError(`${dir} has several tasks: choose one with --task: ${names.join(", ")}`, {
      code: "USAGE",
      plugin: "spec",
      found: task,
      allowed: names,
    });
  }
  const listed = (
    value: Json | undefined,
  ): Json[] => (Array.isArray(value) ? [...value] : value === undefined ? [] : [value]);
  const spec: Record<string, Json> = own
    ? {
      ...whole,
      task: own.task ?? null,
      data: own.data ?? {},
      ...(own.metrics === undefined ? {} : { metrics: own.metrics }),
      adapter: [...listed(whole.adapter), ...listed(own.adapter)],
    }
    : whole;
  const at = (name: string): string => join(resolve(dir), name);
  const placeOf = (folder: string): string => (task === undefined ? folder : `${folder}/${task}`);
  const [model, adapter] = [placeOf(runFolders.model), placeOf(runFolders.adapter)];
  if (existsSync(at(`${model}/${MODEL_CONFIG}`))) {
    return {
      ...overWholeWeights(spec, await catalogOf(spec, dir)),
      model: { use: "pretrained", with: { path: at(model) } },
    };
  }
  if (!existsSync(at(`${adapter}/${adapterFiles.config}`))) {
    const resume = `"attune run ${dir} --resume" continues it`;
    throw badFile("spec", dir, `has no finished run (it has neither ${model}/ nor ${adapter}/): ${resume}`);
  }
  const adapters = listed(spec.adapter) as unknown as readonly { use: string }[];
  return { ...spec, adapter: savedAdapters(at(adapter), adapters.map(({ use }) => use)) };
}

/** Returns the adapters of these names in a directory, as parts of a spec. */
export function savedAdapters(dir: string, names: readonly string[]): { use: string; with: { from: string } }[] {
  const list = join(dir, adapterFiles.places);
  const places: readonly (string | null)[] = existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : ["."];
  return names.flatMap((use, i) => {
    const place = places[i];
    return typeof place === "string" ? [{ use, with: { from: join(dir, place) } }] : [];
  });
}

function tasksOf(spec: Named<Json>): Named<Named<Json>> | undefined {
  const { task } = spec;
  if (typeof task !== "object" || task === null || Array.isArray(task)) return undefined;
  const { with: options } = task as Named<Json>;
  const tasks = (options as Named<Json> | null | undefined)?.tasks;
  return tasks === undefined ? undefined : tasks as Named<Named<Json>>;
}

/** Whether a path is a run's output directory rather than a spec. */
export function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

async function changedBy(spec: Named<Json>, change: string, folder: string): Promise<Named<Json>> {
  const at = change.indexOf("=");
  if (at < 1) {
    throw new AttuneError(`--set ${change}: expected path.to.key=value`, {
      code: "USAGE",
      plugin: "spec",
      found: change,
    });
  }
  const [path, text] = [change.slice(0, at), change.slice(at + 1)];
  let value: Json = text;
  try {
    value = JSON.parse(text);
  } catch {
    // a plain string
  }
  if (!leadsIntoDefault(spec, path)) return setAt(spec, path, value);
  const name = partNamer(await catalogOf(resolvePackages(spec, folder), folder));
  return setAt(name(spec, path), path, value);
}
