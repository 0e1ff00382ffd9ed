/** Keys of stores: relative paths with slashes, the same rule in every store, so that one may stand for another. */
import { badKey } from "../base/errors.ts";
import type { Store } from "../types.ts";

/** File systems and object stores take no longer keys. */
const MAX_KEY = 1024;

/** The parts of a key. Absolute paths, `.`, `..`, empty parts, backslashes and NUL are not keys: throws AttuneError. */
export function keyParts(plugin: string, key: string): readonly string[] {
  const parts = key.split("/");
  if (key.length > MAX_KEY || /[\\\0]/.test(key) || parts.some((p) => p === "" || p === "." || p === "..")) {
    throw badKey(plugin, key);
  }
  return parts;
}

/** The keys of a store below a prefix, in order; some may be of what has just gone. */
export async function* keysBelow(store: Store, prefix: string): AsyncIterable<string> {
  if (store.keys) yield* store.keys(prefix);
  else for await (const { key } of store.list(prefix)) yield key;
}
