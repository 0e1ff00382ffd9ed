/**
 * A store on Cloudflare: rows of D1 for compare-and-set, large values as R2 objects, only one of which is in memory.
 */
import { type Blob, deleteBlob, getBlob, type Objects, putBlob } from "../../core/files/blobs.ts";
import { copyBytes } from "../../core/base/bytes.ts";
import { storeFailed } from "../../core/base/errors.ts";
import { keyParts } from "../../core/files/store_key.ts";
import type { Store, StoredObject } from "../../core/types.ts";

/** The part of a D1 database binding that is used. */
export interface Database {
  prepare(query: string): Statement;
}

/** The part of a D1 statement that is used. */
export interface Statement {
  bind(...values: unknown[]): Statement;
  first<T>(): Promise<T | null>;
  all<T>(): Promise<{ results: T[] }>;
  run(): Promise<{ meta: { changes: number } }>;
}

/** The part of an R2 bucket binding that is used. */
export interface Bucket {
  put(key: string, value: Uint8Array): Promise<unknown>;
  get(
    key: string,
    options?: { range: { offset: number; length: number } },
  ): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null>;
  delete(key: string): Promise<void>;
}

/** Bytes from which a value goes to R2; a row of D1 has at most 2 MB. */
const INLINE = 128 * 1024;

type Row = { key: string; revision: string; size: number; value: ArrayBuffer | number[] | null; blob: string | null };

/**
 * Returns a store over the bindings. It creates its table if that is missing.
 *
 * @throws AttuneError from the store's methods: `BAD_KEY`, `STORE`.
 */
export function cloudflareStore({ database, bucket }: Readonly<{ database: Database; bucket: Bucket }>): Store {
  let tables: Promise<unknown> | undefined;
  const ready = async (): Promise<void> => {
    tables ??= database.prepare(
      "CREATE TABLE IF NOT EXISTS attune (key TEXT PRIMARY KEY, revision TEXT NOT NULL, size INTEGER NOT NULL, value BLOB, blob TEXT)",
    ).run();
    await tables;
  };
  const typed = async <T>(key: string, act: () => Promise<T>): Promise<T> => {
    keyParts("cloudflare", key);
    return await ready().then(act).catch((error) => {
      throw storeFailed("cloudflare", key, error);
    });
  };
  const pieces: Objects = {
    put: (name, bytes) => bucket.put(name, bytes),
    delete: (name) => bucket.delete(name),
    get: async (name, offset, length) => {
      const object = await bucket.get(name, { range: { offset, length } });
      return object ? new Uint8Array(await object.arrayBuffer()) : undefined;
    },
  };
  const forget = async (value: Pick<Row, "blob" | "size"> | null): Promise<void> => {
    if (value?.blob) await deleteBlob(pieces, blobOf(value.blob, value.size));
  };
  const rowOf = (key: string): Promise<Row | null> =>
    database.prepare("SELECT * FROM attune WHERE key = ?").bind(key).first<Row>();
  return {
    get: (key, range) =>
      typed(key, async () => {
        const row = await rowOf(key);
        if (!row) return undefined;
        const object: StoredObject = { key, size: row.size, revision: row.revision };
        const from = Math.min(range?.offset ?? 0, row.size);
        const length = Math.min(range?.length ?? row.size, row.size - from);
        if (length <= 0) return { ...object, bytes: new Uint8Array() };
        if (row.blob === null) {
          return { ...object, bytes: new Uint8Array(row.value ?? []).slice(from, from + length) };
        }
        return { ...object, bytes: await getBlob(pieces, blobOf(row.blob, row.size), from, length) };
      }),
    put: (key, content, options) =>
      typed(key, async () => {
        const stored = await putBlob(pieces, `blobs/${crypto.randomUUID()}`, content, INLINE);
        const [blob, size, value] = stored instanceof Uint8Array
          ? [null, stored.length, copyBytes(stored).buffer]
          : [`${stored.blob}:${stored.piece}`, stored.size, null];
        const revision = crypto.randomUUID();
        const before = await rowOf(key);
        const wanted = options?.if;
        // A single statement decides atomically; the row read before only names the object to delete.
        const statement = wanted === undefined
          ? database.prepare(
            "INSERT INTO attune VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO UPDATE SET revision = ?2, size = ?3, value = ?4, blob = ?5",
          ).bind(key, revision, size, value, blob)
          : wanted === null
          ? database.prepare("INSERT OR IGNORE INTO attune VALUES (?1, ?2, ?3, ?4, ?5)")
            .bind(key, revision, size, value, blob)
          : database.prepare(
            "UPDATE attune SET revision = ?2, size = ?3, value = ?4, blob = ?5 WHERE key = ?1 AND revision = ?6",
          ).bind(key, revision, size, value, blob, wanted);
        const { meta } = await statement.run();
        await forget(meta.changes === 0 ? { blob, size } : before);
        return meta.changes === 0 ? "conflict" : { key, size, revision };
      }),
    delete: (key, options) =>
      typed(key, async () => {
        const before = await rowOf(key);
        const wanted = options?.if;
        const statement = wanted === undefined
          ? database.prepare("DELETE FROM attune WHERE key = ?").bind(key)
          : database.prepare("DELETE FROM attune WHERE key = ? AND revision = ?").bind(key, wanted);
        const { meta } = await statement.run();
        if (meta.changes === 0) return wanted === undefined ? "done" : "conflict";
        await forget(before);
        return "done";
      }),
    list: async function* (prefix) {
      await ready();
      // All keys from the prefix up to the first text after those that begin with it.
      const { results } = await database.prepare(
        "SELECT key, revision, size FROM attune WHERE key >= ?1 AND key < ?2 ORDER BY key",
      ).bind(prefix, `${prefix}\u{10ffff}`).all<StoredObject>();
      for (const { key, revision, size } of results) yield { key, revision, size };
    },
  };
}

/** Parses a row's reference to a large value: the common prefix of its objects' names, and the bytes of each. */
function blobOf(named: string, size: number): Blob {
  const at = named.lastIndexOf(":");
  return { blob: named.slice(0, at), size, piece: Number(named.slice(at + 1)) };
}
