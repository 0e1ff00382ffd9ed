/** The location of a model's files: a directory, a repository of the hub, or the Attune package. */
import { vocabularyFiles } from "../../formats/hf/carried_files.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { missing, unknownName } from "../../core/base/errors.ts";
import { missingIn } from "../../core/files/missing_folder.ts";
import type { Host, Store } from "../../core/types.ts";
import { hubName } from "../../core/hub/name.ts";
import type { HubProgress } from "../../core/hub/download.ts";

/** The encoder that is included in Attune. */
const BASE = "attune:base";

/** Downloads from this size on are announced, in bytes. */
const LARGE = 2 ** 20;

/** A model's files, and the GGUF file among them if the path names one. */
export type ModelFiles = Readonly<{ files: Store; gguf?: string }>;

/** Opens the files at a path; without `weights`, config and tokenizer suffice. Throws AttuneError if there are none. */
export async function modelFiles(plugin: string, path: string, host: Host, weights: boolean): Promise<ModelFiles> {
  if (path.startsWith("attune:")) {
    if (path !== BASE) throw unknownName(plugin, "path", "embedded model", path, [BASE]);
    if (!host.base) throw missing(plugin, `${BASE}: its files, as host.base,`, `this host (${host.runtime})`);
    return { files: host.base };
  }
  if (/\.gguf$/i.test(path)) return await namedFile(plugin, path, host);
  const files = host.directory?.(host.resolve?.(path) ?? path);
  for (const file of weights ? ["config.json"] : ["config.json", "tokenizer.json", ...vocabularyFiles]) {
    if (files && await files.get(file, { offset: 0, length: 0 })) return { files };
  }
  if (files && weights && await ggufIn(files) !== undefined) return { files };
  // The hub client is loaded on demand, like other large parts.
  if (hubName(path)) {
    const { openHub } = await import("./hub.ts");
    return { files: await openHub(path, host, { weights, progress: progressOf(path, host) }) };
  }
  const { adviceOn, fileNamesIn } = await import("../../core/files/other_weights.ts");
  throw missingIn(plugin, "config.json", path, host, files ? adviceOn(await fileNamesIn(files)) : "");
}

/** Opens a GGUF file of a local folder or of a repository: `org/name[@revision]/file.gguf`. */
async function namedFile(plugin: string, path: string, host: Host): Promise<ModelFiles> {
  const resolved = host.resolve?.(path) ?? path;
  const [folder, gguf] = splitPath(resolved);
  const files = host.directory?.(folder === "" ? resolved.length > gguf.length ? "/" : "." : folder);
  if (files && await files.get(gguf, { offset: 0, length: 0 })) return { files, gguf };
  const [repository, file] = splitPath(path);
  if (repository.includes("/") && hubName(repository)) {
    const { openHub } = await import("./hub.ts");
    return {
      files: await openHub(repository, host, { weights: true, file, progress: progressOf(path, host) }),
      gguf: file,
    };
  }
  throw missingIn(plugin, gguf, folder, host);
}

/** Splits a path into the folder and the last name. */
function splitPath(path: string): readonly [string, string] {
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return [path.slice(0, Math.max(cut, 0)), path.slice(cut + 1)];
}

/** Announces the download of each large file once. */
function progressOf(path: string, host: Host): HubProgress {
  const said = new Set<string>();
  return (file, _done, total) => {
    if (total < LARGE || said.has(file)) return;
    said.add(file);
    host.terminal?.write(`Downloading ${path}: ${file} (${(total / 1e6).toFixed(1)} MB)\n`);
  };
}
