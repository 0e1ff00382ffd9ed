/** Read-only stores: files in memory or under other names in another store, behind a URL, or read ahead. */
import { releaseBuffer } from "../../core/base/bytes.ts";
import { AttuneError } from "../../core/base/errors.ts";
import type { Named, Store } from "../../core/types.ts";
import type { GuardedFetch } from "./guarded_fetch.ts";

/** The source of a file: its bytes, or a key of another store. */
export type FileSource = Uint8Array | Readonly<{ store: Store; key: string }>;

const refuse = (): never => {
  throw new AttuneError("These files are read-only", { code: "STORE" });
};

/** Returns a store of files under chosen names; other keys are looked up in `rest`. */
export function placedFiles(files: Named<FileSource>, rest?: Store): Store {
  return {
    get: async (key, range) => {
      const file = Object.hasOwn(files, key) ? files[key] : undefined;
      if (file === undefined) return await rest?.get(key, range);
      if (!(file instanceof Uint8Array)) {
        const object = await file.store.get(file.key, range);
        return object && { ...object, key };
      }
      const { offset, length } = range ?? { offset: 0, length: file.length };
      return { key, size: file.length, revision: "held", bytes: file.slice(offset, offset + length) };
    },
    put: refuse,
    delete: refuse,
    list: async function* (prefix) {
      for (const key of Object.keys(files)) {
        const file = files[key];
        if (!key.startsWith(prefix) || file === undefined) continue;
        const size = file instanceof Uint8Array
          ? file.length
          : (await file.store.get(file.key, { offset: 0, length: 0 }))?.size;
        if (size !== undefined) yield { key, size, revision: "held" };
      }
      if (rest) { for await (const object of rest.list(prefix)) if (!Object.hasOwn(files, object.key)) yield object; }
    },
  };
}

/** A store without files. */
export const noFiles: Store = placedFiles({});

/** The largest file that is fetched as a whole, in bytes. */
const MAX_WHOLE = 2 ** 20;

/** Returns a store of the folder at a URL, or of the single file at it, under the key `alone`. */
export function urlFiles(url: string, alone: string, fetch: GuardedFetch): Store {
  const isFile = /\.safetensors(\?|$)/.test(url);
  const [path = "", query] = url.split("?", 2);
  const place = (key: string): string | undefined =>
    isFile
      ? (key === alone ? url : undefined)
      : `${path.replace(/\/$/, "")}/${key}${query === undefined ? "" : `?${query}`}`;
  return {
    get: async (key, range = { offset: 0, length: MAX_WHOLE }) => {
      const source = place(key);
      const object = source === undefined ? undefined : await fetch(source, range);
      return object && { key, size: object.size, revision: `${object.size} ${object.tag}`, bytes: object.bytes };
    },
    put: refuse,
    delete: refuse,
    list: async function* () {},
  };
}

/** Reads a store in windows of `window` bytes, so that reading a file from start to end takes fewer requests. */
export function readAhead(store: Store, window = 2 ** 19): Store {
  let held: { key: string; from: number; size: number; revision: string; bytes: Uint8Array } | undefined;
  return {
    ...store,
    get: async (key, range) => {
      if (!range || range.length === 0 || range.length > window) return await store.get(key, range);
      const out: Uint8Array[] = [];
      for (let at = range.offset, left = range.length; left > 0;) {
        if (held?.key !== key || at < held.from || at >= held.from + held.bytes.length) {
          const before = held?.key === key ? held.revision : undefined;
          const object = await store.get(key, { offset: at, length: Math.max(left, window) });
          if (!object) return undefined;
          const { size, revision, bytes } = object;
          if (held) releaseBuffer(held.bytes);
          held = { key, from: at, size, revision, bytes };
          // Parts of two versions do not make a file.
          if (out.length > 0 && before !== revision) return { key, size, revision: "changed", bytes: new Uint8Array() };
          if (bytes.length === 0) break;
        }
        // Copied, because the window is replaced when the next one is read.
        const part = held.bytes.slice(at - held.from, at - held.from + left);
        out.push(part);
        at += part.length;
        left -= part.length;
      }
      if (!held) return undefined;
      const [first = new Uint8Array(), ...more] = out;
      return { key, size: held.size, revision: held.revision, bytes: more.length === 0 ? first : joined(out) };
    },
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
