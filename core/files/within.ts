/** A part of a store as a store of its own. */
import type { Store, StoredObject } from "../types.ts";

/** Returns the keys of a store below a prefix as a store. */
export function storeWithin(store: Store, prefix: string): Store {
  const { append, getRanges, keys, locate, sync } = store;
  const withinPrefix = <T extends StoredObject>(stored: T): T => ({ ...stored, key: stored.key.slice(prefix.length) });
  return {
    ...(append
      ? { append: async (key, bytes, options) => withinPrefix(await append(prefix + key, bytes, options)) }
      : {}),
    ...(sync ? { sync: (key) => sync(prefix + key) } : {}),
    ...(locate ? { locate: (key) => locate(prefix + key) } : {}),
    ...(getRanges
      ? {
        getRanges: async (key, ranges) => {
          const read = await getRanges(prefix + key, ranges);
          return read && withinPrefix(read);
        },
      }
      : {}),
    ...(keys
      ? {
        keys: async function* (below) {
          for await (const key of keys(prefix + below)) yield key.slice(prefix.length);
        },
      }
      : {}),
    get: async (key, range) => {
      const file = await store.get(prefix + key, range);
      return file && withinPrefix(file);
    },
    put: async (key, bytes, options) => {
      const done = await store.put(prefix + key, bytes, options);
      return done === "conflict" ? done : withinPrefix(done);
    },
    delete: (key, options) => store.delete(prefix + key, options),
    list: async function* (below) {
      for await (const stored of store.list(prefix + below)) yield withinPrefix(stored);
    },
  };
}
