/** A host in memory: stores and a clock, without network or files. */
import { allBytes, type Host, keyParts, type Named, type Ort, type Store, type StoredObject } from "../../kit.ts";

/** A store in memory, with its content. */
export type MemoryStore = Store & { readonly files: Map<string, Uint8Array> };

/** Creates a store in memory. */
export function memoryStore(files: Named<Uint8Array> = {}): MemoryStore {
  const entries = new Map<string, Uint8Array>(Object.entries(files));
  const revisions = new Map<string, number>();
  let writes = 0;
  const stored = (key: string): StoredObject => ({
    key,
    size: entries.get(key)?.length ?? 0,
    revision: String(revisions.get(key) ?? 0),
  });
  const conflicts = (key: string, wanted: string | null | undefined): boolean =>
    wanted !== undefined && (entries.has(key) ? stored(key).revision : null) !== wanted;
  const write = (key: string, bytes: Uint8Array): StoredObject => {
    entries.set(key, bytes);
    revisions.set(key, ++writes);
    return stored(key);
  };
  return {
    files: entries,
    get: async (key, range) => {
      keyParts("memory", key);
      const bytes = entries.get(key);
      if (!bytes) return undefined;
      const from = range?.offset ?? 0;
      return { ...stored(key), bytes: bytes.slice(from, range ? from + range.length : undefined) };
    },
    put: async (key, bytes, options) => {
      keyParts("memory", key);
      const all = bytes instanceof Uint8Array ? bytes.slice() : await allBytes(bytes);
      return conflicts(key, options?.if) ? "conflict" : write(key, all);
    },
    append: async (key, bytes) => {
      keyParts("memory", key);
      const before = entries.get(key) ?? new Uint8Array();
      const both = new Uint8Array(before.length + bytes.length);
      both.set(before);
      both.set(bytes, before.length);
      return write(key, both);
    },
    delete: async (key, options) => {
      if (conflicts(key, options?.if)) return "conflict";
      entries.delete(key);
      return "done";
    },
    list: async function* (prefix) {
      for (const key of [...entries.keys()].filter((key) => key.startsWith(prefix)).sort()) yield stored(key);
    },
  };
}

/** Creates a read-only store of files. */
export function readOnlyStore(files: Named<Uint8Array>): Store {
  const { get, list } = memoryStore(files);
  return { get, list, put: async () => "conflict", delete: async () => "conflict" };
}

/** Creates a host without files or network, with `folders` by path. */
export function memoryHost(lib: Ort | undefined, folders: Named<Store> = {}): Host {
  return {
    runtime: "browser",
    provider: "cpu",
    ...(lib && { lib }),
    env: {},
    fetch: () => Promise.reject(new Error("The checks have no network")),
    clock: {
      now: () => performance.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
    directory: (path) => folders[path] ?? readOnlyStore({}),
    resolve: (path) => path,
    memoryBytes: 2 ** 31,
    threads: 1,
  };
}

/** Returns a host with further folders. */
export function withFolders(host: Host, folders: Named<Store>): Host {
  return {
    ...host,
    directory: (path) => folders[path] ?? host.directory?.(path) ?? readOnlyStore({}),
    resolve: (path, base) => (path in folders ? path : host.resolve?.(path, base) ?? path),
  };
}
