/**
 * What a folder holds that somebody names as a model or an adapter: a model, a run's result, adapters as PEFT saves them.
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

/** A model's folder, or that of adapters over one: `base` as their config names it. */
export type Saved =
  | Readonly<{ model: Store; adapters?: undefined }>
  | Readonly<{ model?: undefined; adapters: readonly SavedAdapter[]; base: string | undefined }>;

/** One adapter: the plugin it is of, and its folder. */
export type SavedAdapter = Readonly<{ use: string; files: Store }>;

/** Larger files of JSON are refused, in bytes. */
const MAX_JSON = 2 ** 20;

/** What a folder holds; undefined if it is neither. Throws AttuneError if a file of it is not sound. */
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

/** A small file of JSON, an object. Throws AttuneError if it is something else. */
export async function jsonIn(files: Store, key: string): Promise<Named<Json> | undefined> {
  const parsed = await parsedIn(files, key);
  if (parsed === undefined) return undefined;
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Named<Json>;
  throw badValue("saved", key, parsed, "an object");
}

/** Any small file of JSON. */
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

/** Where a run had several adapters, the others' folders, in the run's order. */
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
