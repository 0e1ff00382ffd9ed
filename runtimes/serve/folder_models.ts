/**
 * Models in a folder of this machine (`name` or `org/name`), `attune:base`, and models of the hub if that is allowed.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { hubName } from "../../core/hub/name.ts";
import { missingIn } from "../../core/files/missing_folder.ts";
import type { Host } from "../../core/types.ts";
import { modelFiles } from "../../blocks/model/mod.ts";
import { namesIn as entriesOf } from "../host/folder_names.ts";
import { directoryStore } from "../host/directory_store.ts";
import type { ModelRegistry } from "../http/model_registry.ts";
import { withoutToken } from "../host/hub_cache.ts";
import { isModelFolder } from "../host/model_folder.ts";
import { artifactFiles } from "../../formats/run/files.ts";

/** The encoder that comes with Attune. */
const BASE = "attune:base";

/** Throws AttuneError (`BAD_FILE`) if a configured folder does not exist. */
export function checkFolder(plugin: string, folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  throw missingIn(plugin, "a folder", folder, { names: entriesOf, resolve });
}

/**
 * Returns the models of a folder, for all tenants; adapters in it can be named, too. `allowHub`: others come from the
 * hub. Of a list of names (`org/name`) or owners (`org`) only those are downloaded, with the host's token; without one
 * every name is, anonymously.
 */
export function folderModels(
  folder: string | undefined,
  host: Host,
  allowHub: boolean | readonly string[] = false,
): ModelRegistry {
  const { base } = host;
  const hub = allowHub === true ? withoutToken(host) : host;
  const isAllowed = (name: string): boolean => {
    const repo = hubName(name)?.repo;
    if (repo === undefined || typeof allowHub === "boolean") return repo !== undefined && allowHub === true;
    return allowHub.some((entry) => repo === entry || repo.startsWith(`${entry}/`));
  };
  const isRemote = (name: string): boolean => name !== BASE && isAllowed(name) && folderOf(folder, name) === undefined;
  return {
    isRemote,
    names: async () => [...namesIn(folder), ...base ? [BASE] : []],
    open: async (name) => {
      if (name === BASE) return base && { id: BASE, files: base };
      const store = folderOf(folder, name);
      if (store !== undefined) return { id: `models/${name}`, files: directoryStore(store) };
      return isRemote(name)
        ? { id: `hub/${name}`, files: (await modelFiles("serve", name, hub, true)).files }
        : undefined;
    },
  };
}

/** Returns the folder of a model or adapter; undefined if there is none of that name. */
function folderOf(folder: string | undefined, name: string): string | undefined {
  if (folder === undefined || !/^[\w][\w.-]{0,127}(\/[\w][\w.-]{0,127})?$/.test(name)) return undefined;
  const path = join(resolve(folder), name);
  return artifactFiles.some((file) => existsSync(join(path, file))) || isModelFolder(path) ? path : undefined;
}

function namesIn(folder: string | undefined): string[] {
  if (folder === undefined || !existsSync(folder)) return [];
  const isModel = (name: string): boolean => isModelFolder(join(folder, name));
  const below = (name: string): string[] =>
    readdirSync(join(folder, name), { withFileTypes: true }).filter((e) => e.isDirectory() || e.isSymbolicLink())
      .map((e) => (name === "" ? e.name : `${name}/${e.name}`));
  return below("").flatMap((name) => (isModel(name) ? [name] : below(name).filter(isModel)));
}
