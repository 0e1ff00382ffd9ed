/** Uploaded files and results, as in OpenAI's files API. */
import { storeFailed } from "../base/errors.ts";
import { keysBelow } from "../files/store_key.ts";
import type { Store } from "../types.ts";
import { isFileId } from "./names.ts";
import { type Sealed, sealStore } from "./sealed.ts";

/** The metadata of a file. */
export type FileInfo = Readonly<{
  id: string;
  /** The owner; other tenants cannot see the file. */
  tenant: string;
  bytes: number;
  createdAt: number;
  filename: string;
  purpose: string;
  /** Number of rows, for JSON lines. */
  rows?: number;
  /** Seconds until the file expires; absent: kept until deleted. */
  keptSeconds?: number;
}>;

/** Files in a store. */
export interface JobFilesStore {
  /** Returns an unused id. */
  newId(): string;
  /** Stores a file's content as it arrives; the file exists only once it is created under the same id. */
  receive(id: string, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Deletes received content for which no file was created. */
  discard(id: string): Promise<void>;
  /** Creates a file, or replaces the file with the same id. `bytes` absent: the content has been received before. */
  create(
    file: Readonly<
      {
        id?: string;
        tenant: string;
        filename: string;
        purpose: string;
        bytes?: Uint8Array | AsyncIterable<Uint8Array>;
        rows?: number;
        keptSeconds?: number;
      }
    >,
  ): Promise<FileInfo>;
  get(id: string): Promise<FileInfo | undefined>;
  content(id: string): Promise<Uint8Array | undefined>;
  list(): AsyncIterable<FileInfo>;
  delete(id: string): Promise<boolean>;
  /** Deletes expired files; other methods already treat them as missing. */
  expire(): Promise<void>;
}

/** Returns a read-only store whose keys are the ids of a store's files. */
export function contentIn(store: Store): Store {
  const key = (id: string): string => `files/${id}/content`;
  const readOnly = (): never => {
    throw new Error("Uploaded files do not change");
  };
  return {
    get: async (id, range) => {
      const object = await store.get(key(id), range);
      return object && { ...object, key: id };
    },
    put: readOnly,
    delete: readOnly,
    list: readOnly,
  };
}

/** Returns the files of a store. `time`: returns seconds since 1970; `sealed`: the store's sealed values. */
export function filesIn(store: Store, time: () => number, sealed: Sealed = sealStore(store)): JobFilesStore {
  const info = (id: string): string => `files/${id}/info.json`;
  const content = (id: string): string => `files/${id}/content`;
  const newId = (): string => {
    const random = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    return `file-${Math.floor(time() * 1000).toString(36).padStart(9, "0")}${random}`;
  };
  const read = async (id: string): Promise<FileInfo | undefined> =>
    isFileId(id) ? (await sealed.tryRead<FileInfo>(info(id)))?.value : undefined;
  const isOver = ({ createdAt, keptSeconds = Infinity }: FileInfo): boolean => time() >= createdAt + keptSeconds;
  const get = async (id: string): Promise<FileInfo | undefined> => {
    const file = await read(id);
    return file && !isOver(file) ? file : undefined;
  };
  const ids = async (): Promise<string[]> => {
    const keys: string[] = [];
    for await (const key of keysBelow(store, "files/")) {
      const id = /^files\/([^/]+)\/info\.json$/.exec(key)?.[1];
      if (id !== undefined) keys.push(id);
    }
    return keys.sort().reverse();
  };
  const remove = async (id: string): Promise<void> => {
    await store.delete(info(id));
    await store.delete(content(id));
  };
  const receive = async (id: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> => {
    if (await store.put(content(id), bytes) === "conflict") throw storeFailed("jobs", id, "conflict");
  };
  return {
    newId,
    receive,
    discard: async (id) => {
      if (!await get(id)) await store.delete(content(id));
    },
    create: async ({ id = newId(), tenant, filename, purpose, bytes, rows, keptSeconds }) => {
      const createdAt = (await get(id))?.createdAt ?? time();
      if (bytes) await receive(id, bytes);
      const size = (await store.get(content(id), { offset: 0, length: 0 }))?.size;
      if (size === undefined) throw storeFailed("jobs", id, "its content is missing");
      const file: FileInfo = {
        id,
        tenant,
        bytes: size,
        createdAt,
        filename,
        purpose,
        ...(rows ? { rows } : {}),
        ...(keptSeconds === undefined ? {} : { keptSeconds }),
      };
      // Written last: without its info, a file was never completely uploaded.
      await sealed.write(info(id), file);
      return file;
    },
    get,
    content: async (id) => (await get(id)) && (await store.get(content(id)))?.bytes,
    list: async function* () {
      for (const id of await ids()) {
        const file = await get(id);
        if (file) yield file;
      }
    },
    delete: async (id) => {
      if (!await get(id)) return false;
      await remove(id);
      return true;
    },
    expire: async () => {
      for (const id of await ids()) {
        const file = await read(id);
        if (file && isOver(file)) await remove(id);
      }
    },
  };
}
