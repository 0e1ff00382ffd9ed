/**
 * A store in memory.
 * @module
 */
import * as v from "valibot";
import { allBytes } from "../../core/base/bytes.ts";
import { define } from "../../core/spec/define.ts";
import { keyParts } from "../../core/files/store_key.ts";
import type { Factory, StoredObject } from "../../core/types.ts";

/**
 * A store in memory; each `open` returns a new one.
 *
 * @throws AttuneError from the store's methods on keys that are not relative paths.
 * @example
 * ```ts
 * import { memory } from "attune/stores/memory";
 * console.assert(memory().kind === "store");
 * ```
 */
export const memory: Factory<"store"> = define({
  kind: "store",
  name: "memory",
  schema: v.strictObject({}),
  create: () => ({
    open: async () => {
      const objects = new Map<string, { bytes: Uint8Array; revision: string }>();
      let writes = 0;
      const stored = (key: string): StoredObject => ({
        key,
        size: objects.get(key)?.bytes.length ?? 0,
        revision: objects.get(key)?.revision ?? "",
      });
      const conflicts = (key: string, wanted: string | null | undefined): boolean =>
        wanted !== undefined && (objects.get(key)?.revision ?? null) !== wanted;
      const write = (key: string, bytes: Uint8Array): StoredObject => {
        objects.set(key, { bytes, revision: String(++writes) });
        return stored(key);
      };
      return {
        get: async (key, range) => {
          keyParts("memory", key);
          const content = objects.get(key)?.bytes;
          if (!content) return undefined;
          const from = range?.offset ?? 0;
          return { ...stored(key), bytes: content.slice(from, range ? from + range.length : undefined) };
        },
        put: async (key, bytes, options) => {
          keyParts("memory", key);
          // Not slice, which in Node's Buffer returns a view.
          const all = bytes instanceof Uint8Array ? new Uint8Array(bytes) : await allBytes(bytes);
          return conflicts(key, options?.if) ? "conflict" : write(key, all);
        },
        append: async (key, bytes) => {
          keyParts("memory", key);
          const before = objects.get(key)?.bytes ?? new Uint8Array();
          const both = new Uint8Array(before.length + bytes.length);
          both.set(before);
          both.set(bytes, before.length);
          return write(key, both);
        },
        delete: async (key, options) => {
          keyParts("memory", key);
          if (conflicts(key, options?.if)) return "conflict";
          objects.delete(key);
          return "done";
        },
        list: async function* (prefix) {
          for (const key of [...objects.keys()].filter((k) => k.startsWith(prefix)).sort()) yield stored(key);
        },
      };
    },
  }),
});
