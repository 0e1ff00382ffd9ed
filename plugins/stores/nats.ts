/**
 * A NATS server's key-value and object stores.
 * @module
 */
import type { NatsConnection } from "@nats-io/nats-core";
import * as v from "valibot";
import { connectNats, natsUrl, withoutNats } from "../../blocks/nats/mod.ts";
import { type Blob, deleteBlob, getBlob, type Objects, putBlob } from "../../core/files/blobs.ts";
import { joinBytes, jsonIn } from "../../core/base/bytes.ts";
import { define } from "../../core/spec/define.ts";
import { storeFailed } from "../../core/base/errors.ts";
import { keyParts } from "../../core/files/store_key.ts";
import type { Factory, Secret, Store, StoredObject } from "../../core/types.ts";

/** Options of {@link nats}. */
export interface NatsOptions {
  /**
   * An address such as nats://user:password@host:4222, or an environment variable that has it, as `{ env: "NATS_URL"
   * }`; ws:// or wss:// on runtimes without sockets.
   */
  readonly url: Secret;
  /** The name of the key-value bucket and the object store, which are created if they are missing. */
  readonly bucket: string;
}

/** Larger values go to the object store, since a NATS message has at most 1 MiB. */
const INLINE = 256 * 1024;

/**
 * NATS JetStream with file storage, using revisions for compare-and-set; large values are split into objects of 4 MiB,
 * one of which is in memory at a time. JetStream acknowledges before it syncs to disk: set `sync_interval: always` if a
 * power failure must not lose anything.
 *
 * @throws AttuneError from the store's methods: `BAD_KEY`, `STORE`; from `open` if the server is not reached.
 * @example
 * ```ts
 * import { nats } from "attune/stores/nats";
 * console.assert(nats({ url: "nats://127.0.0.1:4222" }).kind === "store");
 * ```
 */
export const nats: Factory<"store", Partial<NatsOptions> & Pick<NatsOptions, "url">> = define({
  kind: "store",
  name: "nats",
  schema: v.strictObject(
    {
      url: natsUrl,
      bucket: v.optional(v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)), "attune"),
    },
  ),
  create: ({ url, bucket }: NatsOptions) => ({
    open: async (host) => await openNatsStore(await connectNats(url, host), bucket),
  }),
});

/** A value in the bucket: a 0 followed by its bytes, or a 1 followed by the names of the objects with its bytes. */
type StoredValue = Readonly<{ bytes: Uint8Array; blob?: undefined }> | Blob;

async function openNatsStore(connection: NatsConnection, bucket: string): Promise<Store> {
  const { Kvm } = await import("@nats-io/kv").catch(withoutNats);
  const { Objm } = await import("@nats-io/obj").catch(withoutNats);
  const kv = await new Kvm(connection).create(bucket, { history: 1 });
  const objects = await new Objm(connection).create(bucket);
  let last: { name: string; bytes: Uint8Array } | undefined;

  const nameOf = (key: string): string => keyParts("nats", key).map(encoded).join(".");
  const keyOf = (name: string): string => name.split(".").map(decoded).join("/");
  const typed = async <T>(key: string, act: () => Promise<T>): Promise<T> => {
    const name = nameOf(key);
    return await act().catch((error) => {
      throw storeFailed("nats", `${key} (${name})`, error);
    });
  };
  const entryOf = async (key: string): Promise<{ value: StoredValue; revision: number } | undefined> => {
    const entry = await kv.get(nameOf(key));
    if (!entry || entry.operation !== "PUT") return undefined;
    return { value: heldIn(entry.value), revision: entry.revision };
  };
  const pieces: Objects = {
    put: (name, bytes) => objects.putBlob({ name }, bytes),
    delete: (name) => objects.delete(name),
    // Readers ask for consecutive parts, but an object is only read as a whole.
    get: async (name, offset, length) => {
      if (last?.name !== name) {
        const bytes = await objects.getBlob(name);
        if (!bytes) return undefined;
        last = { name, bytes };
      }
      return last.bytes.slice(offset, offset + length);
    },
  };
  const forget = async (value: StoredValue | undefined): Promise<void> => {
    if (value?.blob !== undefined) await deleteBlob(pieces, value);
  };
  /** Turns a lost race into "conflict"; rethrows other errors. */
  const raced = (error: unknown): "conflict" => {
    if (/wrong last sequence|key exists/i.test(error instanceof Error ? error.message : "")) return "conflict";
    throw error;
  };

  return {
    get: (key, range) =>
      typed(key, async () => {
        const entry = await entryOf(key);
        if (!entry) return undefined;
        const { value, revision } = entry;
        const size = value.blob === undefined ? value.bytes.length : value.size;
        const stored = { key, size, revision: String(revision) };
        if (range?.length === 0) return { ...stored, bytes: new Uint8Array() };
        const from = range?.offset ?? 0;
        const length = range?.length ?? size;
        const bytes = value.blob === undefined
          ? value.bytes.slice(from, from + length)
          : await getBlob(pieces, value, from, length);
        return { ...stored, bytes };
      }),
    put: (key, content, options) =>
      typed(key, async () => {
        const blob = await putBlob(pieces, crypto.randomUUID(), content, INLINE);
        const value = blob instanceof Uint8Array
          ? joinBytes([Uint8Array.of(0), blob])
          : new TextEncoder().encode(`\u0001${JSON.stringify(blob)}`);
        const before = await entryOf(key);
        const wanted = options?.if;
        if (wanted !== undefined && (before === undefined ? null : String(before.revision)) !== wanted) {
          await forget(heldIn(value));
          return "conflict";
        }
        const size = blob instanceof Uint8Array ? blob.length : blob.size;
        const name = nameOf(key);
        const done = await (wanted === undefined
          ? kv.put(name, value)
          : before
          ? kv.update(name, value, before.revision)
          : kv.create(name, value)).catch(raced);
        await forget(done === "conflict" ? heldIn(value) : before?.value);
        return done === "conflict" ? done : { key, size, revision: String(done) };
      }),
    delete: (key, options) =>
      typed(key, async () => {
        const before = await entryOf(key);
        const wanted = options?.if;
        if (!before) return wanted === undefined ? "done" : "conflict";
        if (wanted !== undefined && String(before.revision) !== wanted) return "conflict";
        const at = wanted === undefined ? {} : { previousSeq: before.revision };
        const done = await kv.delete(nameOf(key), at).then(() => "done" as const, raced);
        if (done === "done") await forget(before.value);
        return done;
      }),
    list: async function* (prefix) {
      const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      const subject = folder === "" ? ">" : `${folder.slice(0, -1).split("/").map(encoded).join(".")}.>`;
      const objects: StoredObject[] = [];
      for await (const entry of await kv.history({ key: subject })) {
        if (entry.operation !== "PUT") continue;
        const key = keyOf(entry.key);
        if (!key.startsWith(prefix)) continue;
        const value = heldIn(entry.value);
        const size = value.blob === undefined ? value.bytes.length : value.size;
        objects.push({ key, size, revision: String(entry.revision) });
      }
      yield* objects.sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    close: () => connection.close(),
  };
}

function heldIn(value: Uint8Array): StoredValue {
  return value[0] === 0 ? { bytes: value.slice(1) } : jsonIn<Blob>(value.subarray(1));
}

/** Encodes a part of a key as one token of a subject: everything but letters, digits, - and _ by its bytes. */
function encoded(part: string): string {
  return [...new TextEncoder().encode(part)].map((byte) => {
    const c = String.fromCharCode(byte);
    return /[\w-]/.test(c) ? c : `=${byte.toString(16).padStart(2, "0")}`;
  }).join("");
}

function decoded(token: string): string {
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    if (token[i] !== "=") bytes.push(token.charCodeAt(i));
    else {
      bytes.push(parseInt(token.slice(i + 1, i + 3), 16));
      i += 2;
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
