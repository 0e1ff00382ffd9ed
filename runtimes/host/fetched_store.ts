/** A read-only store of files below a URL, for models in web pages. */
import { likelyOthers } from "../../core/files/other_weights.ts";
import type { Host, Store } from "../../core/types.ts";

/**
 * Returns a store of the files below a URL that ends with a slash; each is fetched once, as a whole. It lists only
 * weights of formats that are not supported.
 */
export function fetchedStore(url: string, fetcher: Host["fetch"] = (input, init) => fetch(input, init)): Store {
  const files = new Map<string, Promise<Readonly<{ revision: string; bytes: Uint8Array }> | undefined>>();
  const fetched = async (key: string) => {
    const answer = await fetcher(new URL(key, url).href);
    if (!answer.ok) return undefined;
    return { revision: answer.headers.get("etag") ?? "", bytes: new Uint8Array(await answer.arrayBuffer()) };
  };
  return {
    get: async (key, range) => {
      const fetching = files.get(key) ?? fetched(key);
      files.set(key, fetching);
      const file = await fetching;
      if (!file) return undefined;
      const { bytes, revision } = file;
      const part = range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
      return { key, size: bytes.length, revision, bytes: part };
    },
    put: async () => "conflict",
    delete: async () => "conflict",
    // A file server does not list its files, so only known names of unsupported weights are tried.
    list: async function* (prefix) {
      for (const key of likelyOthers) {
        const answer = key.startsWith(prefix) ? await fetcher(new URL(key, url).href, { method: "HEAD" }) : undefined;
        if (answer?.ok) yield { key, size: Number(answer.headers.get("content-length") ?? 0), revision: "" };
      }
    },
  };
}
