/**
 * Detection of what a folder contains that a user names: a model, a run's result, or adapters as PEFT saves them.
 */
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { badFile, badValue } from "../../core/base/errors.ts";
import { strictJson } from "../../core/base/json.ts";
import { storeWithin } from "../../core/files/within.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import { MODEL_CONFIG } from "../hf/model_config.ts";
import { adapterFiles } from "../peft/files.ts";
import { pluginOf } from "../peft/peft_type.ts";
import { runFolders } from "./files.ts";

/** A model's folder, or those of adapters with the `base` model that their config names. */
export type Saved =
  | Readonly<{ model: Store; adapters?: undefined }>
  | Readonly<{ model?: undefined; adapters: readonly SavedAdapter[]; base: string | undefined }>;

/** One adapter: the name of its plugin, and its folder. */
export type SavedAdapter = Readonly<{ use: string; files: Store }>;

/** Largest JSON file that is read, in bytes. */
const MAX_JSON = 2 ** 20;

/** Returns what a folder contains; undefined: neither. Throws AttuneError if one of its files is invalid. */
export async function detectArtifact(files: Store): Promise<Saved | undefined> {
  for (const model of [files, storeWithin(files, `${runFolders.model}/`)]) {
    if (await model.get(MODEL_CONFIG, { offset: 0, length: 0 })) return { model };
  }
  for (const folder of [files, storeWithin(files, `${runFolders.adapter}/`)]) {
    const config = await jsonIn(folder, adapterFiles.config);
    if (!config) continue;
    const name = config.base_model_name_or_path;
    const first = { use: pluginOf(config), files: folder };
    const adapters = [first, ...await othersIn(folder)];
    return { adapters, base: typeof name === "string" ? name : undefined };
  }
  if (await ggufIn(files) !== undefined) return { model: files };
  return undefined;
}

/** Reads an object from a small JSON file, if it exists. Throws AttuneError if it contains something else. */
export async function jsonIn(files: Store, key: string): Promise<Named<Json> | undefined> {
  const parsed = await parsedIn(files, key);
  if (parsed === undefined) return undefined;
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Named<Json>;
  throw badValue("saved", key, parsed, "an object");
}

/** Reads any small JSON file, if it exists. */
async function parsedIn(files: Store, key: string): Promise<Json | undefined> {
  const file = await files.get(key, { offset: 0, length: MAX_JSON });
  if (!file) return undefined;
  if (file.size > MAX_JSON) throw badFile("saved", key, `has ${file.size} bytes, more than ${MAX_JSON}`);
  try {
    return strictJson(file.bytes);
  } catch (cause) {
    throw badFile("saved", key, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
}

/** Returns the further adapters of a run that had several, in the run's order. */
async function othersIn(folder: Store): Promise<SavedAdapter[]> {
  const places = await parsedIn(folder, adapterFiles.places);
  if (!Array.isArray(places)) return [];
  const adapters: SavedAdapter[] = [];
  for (const place of places) {
    if (typeof place !== "string" || !/^[\w-]{1,64}$/.test(place)) continue;
    const files = storeWithin(folder, `${place}/`);
    const config = await jsonIn(files, adapterFiles.config);
    if (config) adapters.push({ use: pluginOf(config), files });
  }
  return adapters;
}
