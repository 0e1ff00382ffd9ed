/**
 * Uploaded files and results, as OpenAI's files endpoint knows them.
 * @module
 */
import { joinBytes } from "../bytes.ts";
import { badFile, storeFailed } from "../errors.ts";
import { keysBelow } from "../store_key.ts";
import type { Store } from "../types.ts";
import { isFileId } from "./names.ts";
import { type Sealed, sealedIn } from "./sealed.ts";

/** What is known of a file. */
export type FileInfo = Readonly<{
  id: string;
  /** Whose file it is: nobody else is told of it. */
  tenant: string;
  bytes: number;
  createdAt: number;
  filename: string;
  purpose: string;
  /** Rows of JSON lines. */
  rows?: number;
  /** For how long it is kept; absent: until it is deleted. */
  keptSeconds?: number;
}>;

/** Files in a store. */
export interface JobFilesStore {
  /** An id that nothing has. */
  newId(): string;
  /** Takes in what will be a file's content, as it comes: a file is there once it is created under that id. */
  receive(id: string, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Removes what was received and shall not be a file. */
  discard(id: string): Promise<void>;
  /** Keeps a file, under an id that is new or of the same file; `bytes` absent: they have been received. */
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
  /** Removes those whose time is over; until then they are not there any more either. */
  expire(): Promise<void>;
}

/** The contents of a store's files as a store of their ids. */
export function contentIn(store: Store): Store {
  const key = (id: string): string => `files/${id}/content`;
  const readOnly = (): never => {
    throw new Error("Uploaded files do not change");
  };
  return {
    get: async (id, range) => {
      const found = await store.get(key(id), range);
      return found && { ...found, key: id };
    },
    put: readOnly,
    delete: readOnly,
    list: readOnly,
  };
}

/** The files of a store; `time`: seconds since 1970, `kept`: the store's values. */
export function filesIn(store: Store, time: () => number, kept: Sealed = sealedIn(store)): JobFilesStore {
  const info = (id: string): string => `files/${id}/info.json`;
  const content = (id: string): string => `files/${id}/content`;
  const newId = (): string => {
    const random = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
    return `file-${Math.floor(time() * 1000).toString(36).padStart(9, "0")}${random}`;
  };
  const read = async (id: string): Promise<FileInfo | undefined> =>
    isFileId(id) ? (await kept.tryRead<FileInfo>(info(id)))?.value : undefined;
  const isOver = ({ createdAt, keptSeconds = Infinity }: FileInfo): boolean => time() >= createdAt + keptSeconds;
  const get = async (id: string): Promise<FileInfo | undefined> => {
    const found = await read(id);
    return found && !isOver(found) ? found : undefined;
  };
  const ids = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const key of keysBelow(store, "files/")) {
      const id = /^files\/([^/]+)\/info\.json$/.exec(key)?.[1];
      if (id !== undefined) found.push(id);
    }
    return found.sort().reverse();
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
      const own: FileInfo = {
        id,
        tenant,
        bytes: size,
        createdAt,
        filename,
        purpose,
        ...(rows ? { rows } : {}),
        ...(keptSeconds === undefined ? {} : { keptSeconds }),
      };
      // Written last: a file without it was never uploaded.
      await kept.write(info(id), own);
      return own;
    },
    get,
    content: async (id) => (await get(id)) && (await store.get(content(id)))?.bytes,
    list: async function* () {
      for (const id of await ids()) {
        const found = await get(id);
        if (found) yield found;
      }
    },
    delete: async (id) => {
      if (!await get(id)) return false;
      await remove(id);
      return true;
    },
    expire: async () => {
      for (const id of await ids()) {
        const found = await read(id);
        if (found && isOver(found)) await remove(id);
      }
    },
  };
}

/** A longer line of JSON is refused. */
const MAX_LINE = 16 * 2 ** 20;

/** JSON lines, checked one by one as they come. */
export interface LineCheck {
  /** Throws AttuneError (`BAD_FILE`) that names the first line that is not a JSON object in UTF-8. */
  push(bytes: Uint8Array): void;
  /** The number of rows; throws as `push`, and where there are none. */
  end(): number;
}

/** Checks a file of JSON lines; `file` is how it is named in messages. */
export function lineCheck(file: string): LineCheck {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let begun: Uint8Array[] = [];
  let [rows, number, length] = [0, 0, 0];
  const where = (): string => `${file}, line ${number}`;
  const line = (bytes: Uint8Array): void => {
    number++;
    let row: unknown;
    try {
      const text = decoder.decode(bytes).trim();
      if (text === "") return;
      row = JSON.parse(text);
    } catch (cause) {
      throw badFile("jobs", where(), `is not JSON in UTF-8 (${cause instanceof Error ? cause.message : cause})`);
    }
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw badFile("jobs", where(), "is not a JSON object");
    }
    rows++;
  };
  const flush = (rest: Uint8Array): void => {
    line(joinBytes([...begun, rest]));
    [begun, length] = [[], 0];
  };
  return {
    push: (bytes) => {
      let from = 0;
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
        flush(bytes.subarray(from, end));
        from = end + 1;
      }
      length += bytes.length - from;
      if (length > MAX_LINE) {
        number++;
        throw badFile("jobs", where(), `is longer than ${MAX_LINE} bytes`);
      }
      // Of a stream, whose buffers may be used again.
      if (from < bytes.length) begun.push(bytes.slice(from));
    },
    end: () => {
      if (length > 0) flush(new Uint8Array());
      if (rows === 0) throw badFile("jobs", file, "has no rows");
      return rows;
    },
  };
}

/** Checks JSON lines that are all there, and counts the rows. Throws as {@link LineCheck} does. */
export function checkJsonLines(bytes: Uint8Array, file: string): number {
  const check = lineCheck(file);
  check.push(bytes);
  return check.end();
}
