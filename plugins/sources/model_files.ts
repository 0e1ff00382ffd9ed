/**
 * Where a model's files lie: a directory, a repository of the hub, or within Attune.
 * @module
 */
import { missing, unknownName } from "../../core/errors.ts";
import { missingIn } from "../../core/missing_folder.ts";
import type { Host, Store } from "../../core/types.ts";
import { hubName } from "../../core/hub/name.ts";
import type { HubProgress } from "../../core/hub/download.ts";

/** The encoder that comes with Attune. */
const BASE = "attune:base";

/** Downloads from this size on are told of, in bytes. */
const LARGE = 2 ** 20;

/** The files at a path; `weights` false: config and tokenizer are enough. Throws AttuneError where there are none. */
export async function modelFiles(plugin: string, path: string, host: Host, weights: boolean): Promise<Store> {
  if (path.startsWith("attune:")) {
    if (path !== BASE) throw unknownName(plugin, "path", "embedded model", path, [BASE]);
    if (!host.base) throw missing(plugin, `${BASE}: its files, as host.base,`, `this host (${host.runtime})`);
    return host.base;
  }
  const local = host.directory?.(host.resolve?.(path) ?? path);
  for (const file of weights ? ["config.json"] : ["config.json", "tokenizer.json"]) {
    if (local && await local.get(file, { offset: 0, length: 0 })) return local;
  }
  // What speaks to the hub is loaded where it is needed, as other large parts are.
  if (hubName(path)) {
    const { openHub } = await import("./hub.ts");
    return await openHub(path, host, { weights, progress: told(path, host) });
  }
  throw missingIn(plugin, "config.json", path, host);
}

/** Says once of each large file that it is being downloaded. */
function told(path: string, host: Host): HubProgress {
  const said = new Set<string>();
  return (file, _done, total) => {
    if (total < LARGE || said.has(file)) return;
    said.add(file);
    host.terminal?.write(`Downloading ${path}: ${file} (${(total / 1e6).toFixed(1)} MB)\n`);
  };
}
