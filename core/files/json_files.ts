/** JSON files of a store. */
import { jsonFileBytes, jsonIn } from "../base/bytes.ts";
import type { Json, Store } from "../types.ts";

/** Writes a value as indented JSON. */
export async function writeJson(store: Store, key: string, value: Json): Promise<void> {
  await store.put(key, jsonFileBytes(value));
}

/** Reads a JSON file that this program wrote; undefined if there is none. */
export async function readJson<T = unknown>(store: Store, key: string): Promise<T | undefined> {
  const file = await store.get(key);
  return file && jsonIn<T>(file.bytes);
}
