/** Read-only stores over a Worker's bindings: R2, KV, static assets. */
import type { Store } from "../../core/types.ts";

/** The part of an R2 bucket binding that is used. */
export interface ModelBucket {
  get(key: string, options?: { range: { offset: number; length: number } }): Promise<ModelObject | null>;
  head(key: string): Promise<ModelHead | null>;
  list(
    options: { prefix: string; cursor?: string | undefined },
  ): Promise<{ objects: readonly ModelHead[]; truncated: boolean; cursor?: string }>;
}
type ModelHead = Readonly<{ key: string; size: number; etag: string }>;
type ModelObject = ModelHead & { arrayBuffer(): Promise<ArrayBuffer> };

/** The part of a KV namespace binding that is used. */
export interface KeyValues {
  get(key: string, type: "arrayBuffer"): Promise<ArrayBuffer | null>;
  list(
    options: { prefix: string; cursor?: string | undefined },
  ): Promise<{ keys: readonly { name: string }[]; list_complete: boolean; cursor?: string }>;
}

/** The part of a binding of static assets that is used. */
export interface Assets {
  fetch(request: Request): Promise<Response>;
}

type Read = Readonly<{ size: number; revision: string; bytes: Uint8Array }>;

/** How files are read. `part`: present if ranges can be read. */
type Reader = Readonly<{
  read(key: string): Promise<Read | undefined>;
  head?(key: string): Promise<Omit<Read, "bytes"> | undefined>;
  part?(key: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  list(prefix: string): AsyncIterable<string>;
}>;

/** Returns a store of the objects in an R2 bucket whose keys begin with a prefix. */
export function bucketStore(bucket: ModelBucket, prefix: string): Store {
  return readOnly({
    read: async (key) => {
      const object = await bucket.get(prefix + key);
      return object ? read(object.etag, await object.arrayBuffer()) : undefined;
    },
    head: async (key) => {
      const object = await bucket.head(prefix + key);
      return object ? { size: object.size, revision: object.etag } : undefined;
    },
    part: async (key, offset, length) => {
      const object = await bucket.get(prefix + key, { range: { offset, length } });
      return object ? new Uint8Array(await object.arrayBuffer()) : undefined;
    },
    list: async function* (below) {
      let cursor: string | undefined;
      do {
        const page = await bucket.list({ prefix: prefix + below, cursor });
        for (const { key } of page.objects) yield key.slice(prefix.length);
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor !== undefined);
    },
  });
}

/** Returns a store of the values in a KV namespace whose keys begin with a prefix; each has 25 MiB at most. */
export function keyValueStore(values: KeyValues, prefix: string): Store {
  return readOnly({
    read: async (key) => {
      const value = await values.get(prefix + key, "arrayBuffer");
      return value ? read(`${value.byteLength}`, value) : undefined;
    },
    list: async function* (below) {
      let cursor: string | undefined;
      do {
        const page = await values.list({ prefix: prefix + below, cursor });
        for (const { name } of page.keys) yield name.slice(prefix.length);
        cursor = page.list_complete ? undefined : page.cursor;
      } while (cursor !== undefined);
    },
  });
}

/** Returns a store of the static assets below a folder. They cannot be listed. */
export function assetStore(assets: Assets, folder: string): Store {
  return readOnly({
    read: async (key) => {
      const answer = await assets.fetch(new Request(`http://assets/${folder}${key}`));
      if (answer.ok) return read(answer.headers.get("etag") ?? "", await answer.arrayBuffer());
      await answer.body?.cancel();
      return undefined;
    },
    list: async function* () {},
  });
}

function read(revision: string, buffer: ArrayBuffer): Read {
  return { size: buffer.byteLength, revision, bytes: new Uint8Array(buffer) };
}

function readOnly(reader: Reader): Store {
  const head = async (key: string): Promise<Omit<Read, "bytes"> | undefined> => await (reader.head ?? reader.read)(key);
  return {
    get: async (key, range) => {
      if (!range || !reader.part) {
        const content = await reader.read(key);
        if (!content || !range) return content && { key, ...content };
        return { key, ...content, bytes: content.bytes.subarray(range.offset, range.offset + range.length) };
      }
      const known = await head(key);
      if (!known) return undefined;
      const { size, revision } = known;
      const length = Math.min(range.length, size - range.offset);
      const bytes = length > 0 ? await reader.part(key, range.offset, length) : new Uint8Array();
      return bytes && { key, size, revision, bytes };
    },
    put: async () => "conflict",
    delete: async () => "conflict",
    list: async function* (prefix) {
      for await (const key of reader.list(prefix)) {
        const object = await head(key);
        if (object) yield { key, size: object.size, revision: object.revision };
      }
    },
  };
}
