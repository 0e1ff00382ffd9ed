/** Keys of stores: relative paths with slashes. All stores share this rule, so that one can replace another. */
import { badKey } from "../base/errors.ts";
import type { Store } from "../types.ts";

/** The longest key: file systems and object stores accept no longer ones. */
const MAX_KEY = 1024;

/** Splits a key into its parts. Throws AttuneError on absolute paths, `.`, `..`, empty parts, backslashes and NUL. */
export function keyParts(plugin: string, key: string): readonly string[] {
  const parts = key.split("/");
  if (key.length > MAX_KEY || /[\\\0]/.test(key) || parts.some((p) => p === "" || p === "." || p === "..")) {
    throw badKey(plugin, key);
  }
  return parts;
}

/** Lists the keys of a store below a prefix, in order, perhaps with some that have just been removed. */
export async function* keysBelow(store: Store, prefix: string): AsyncIterable<string> {
  if (store.keys) yield* store.keys(prefix);
  else for await (const { key } of store.list(prefix)) yield key;
}
