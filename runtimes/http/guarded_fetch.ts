/**
 * Fetching of URLs that callers name: only from hosts that the operator allows, even after redirects.
 *
 * Names are compared, not addresses: the owner of an allowed name decides where it leads. If the runtime can resolve
 * names (`resolve`), private addresses are refused too. Between that check and the connection a name can change
 * (DNS rebinding); against that only the allow-list helps.
 */
import { AttuneError } from "../../core/base/errors.ts";

/** Options of a guarded fetch: the hosts allowed, and limits. */
export type GuardedFetchOptions = Readonly<{
  /** Hosts such as `models.example.org`, or `models.example.org:8443` for another port than 443. */
  allow: readonly string[];
  fetch?: typeof fetch;
  /** Returns the addresses of a host, if the runtime can. */
  resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
  /** Timeout for the response, and for each further piece of it. */
  milliseconds?: number;
}>;

/** A fetched range. `size`: bytes of the whole file, if the server says so; `tag`: changes with the content. */
export type Fetched = Readonly<{ bytes: Uint8Array; size: number; tag: string }>;

/** Fetches a range of the file at a URL; undefined if there is none (404). Throws AttuneError on any other failure. */
export type GuardedFetch = (
  url: string,
  range: Readonly<{ offset: number; length: number }>,
) => Promise<Fetched | undefined>;

const MAX_REDIRECTS = 4;
const MAX_URL = 2048;

const blocked = (why: string): AttuneError => new AttuneError(`url: ${why}`, { code: "URL_REFUSED", path: "url" });
const lost = (why: string): AttuneError => new AttuneError(`url: ${why}`, { code: "URL_FAILED", path: "url" });

/**
 * Parses a URL that may be fetched. The text must equal the parsed URL, since other parsers might read it differently.
 *
 * @throws AttuneError (`URL_REFUSED`) with the reason.
 */
export function allowedUrl(text: string, allow: readonly string[]): URL {
  if (text.length > MAX_URL) throw blocked(`it has more than ${MAX_URL} characters`);
  if (!/^[\x21-\x7e]+$/.test(text) || /[\\<>"^`{|}]/.test(text)) throw blocked("it has characters that URLs have not");
  if (!text.startsWith("https://")) throw blocked("https:// is expected");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw blocked("it cannot be parsed");
  }
  const authority = text.slice("https://".length).split(/[/?#]/, 1)[0] ?? "";
  if (url.username !== "" || url.password !== "" || authority.includes("@")) throw blocked("it carries credentials");
  if (url.hash !== "") throw blocked("it has a fragment");
  const host = url.hostname;
  // A name whose last part contains a letter is no spelling of an address.
  const isName = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(host);
  const spelled = authority.toLowerCase().replace(/:443$/, "");
  if (!isName || spelled !== url.host) throw blocked("its host is not a plain name");
  if (!allow.includes(url.host)) throw blocked(`${url.host} is not among the hosts that are allowed here`);
  return url;
}

/** Whether an address belongs to no public machine: localhost, private networks, link-local, metadata, multicast. */
export function isPrivateAddress(address: string): boolean {
  const mapped = /^(?:::ffff:|64:ff9b::)(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  const parts = mapped.split(".").map(Number);
  if (parts.length === 4 && parts.every((n) => Number.isInteger(n) && n >= 0 && n < 256)) {
    const [a = 0, b = 0] = parts;
    return a === 0 || a === 10 || a === 127 || a >= 224 || (a === 100 && b >= 64 && b < 128) ||
      (a === 169 && b === 254) || (a === 172 && b >= 16 && b < 32) || (a === 192 && (b === 168 || b === 0)) ||
      (a === 198 && (b === 18 || b === 19));
  }
  // In IPv6, only 2000::/3 is public, except 6to4 and Teredo, which lead to other addresses.
  return !/^[23][0-9a-f]{3}:/i.test(mapped) || /^(2002|2001:0?0?0?0?):/i.test(mapped);
}

/** Returns a fetch with these rules. Redirects are checked like the first URL; no cookie, token or referrer is sent. */
export function guardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { allow, resolve, milliseconds = 10_000 } = options;
  const own = options.fetch ?? fetch;
  return async (text, { offset, length }) => {
    let url = allowedUrl(text, allow);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const addresses = await resolve?.(url.hostname) ?? [];
      if (addresses.some(isPrivateAddress)) throw blocked(`${url.host} is an address of a private network`);
      const controller = new AbortController();
      const answered = withinTime(milliseconds, controller, () =>
        own(url.href, {
          headers: { range: `bytes=${offset}-${offset + Math.max(1, length) - 1}`, "accept-encoding": "identity" },
          redirect: "manual",
          signal: controller.signal,
        }));
      const response = await answered;
      const { status, headers } = response;
      const location = headers.get("location");
      if (status >= 300 && status < 400 && location !== null) {
        void response.body?.cancel().catch(() => {});
        url = allowedUrl(/^https?:|^\/\//i.test(location) ? location : joined(location, url), allow);
        continue;
      }
      if (status === 404 || status === 410) {
        void response.body?.cancel().catch(() => {});
        return undefined;
      }
      const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get("content-range") ?? "");
      // A range beyond the end of a shorter file.
      const empty = status === 416 ? /^bytes \*\/(\d+)$/.exec(headers.get("content-range") ?? "") : null;
      if (empty) {
        void response.body?.cancel().catch(() => {});
        return { bytes: new Uint8Array(), size: Number(empty[1]), tag: tagOf(headers) };
      }
      if (status !== 206 || !range || Number(range[1]) !== offset) {
        void response.body?.cancel().catch(() => {});
        throw lost(`${url.host} answered ${status}, instead of a part of the file (206)`);
      }
      const bytes = await bodyOf(response, Math.max(1, length), milliseconds, controller);
      return { bytes: bytes.subarray(0, length), size: Number(range[3]), tag: tagOf(headers) };
    }
    throw blocked(`there are more than ${MAX_REDIRECTS} redirects`);
  };
}

const tagOf = (headers: Headers): string => headers.get("etag") ?? headers.get("last-modified") ?? "";

function joined(location: string, url: URL): string {
  if (!/^[\x21-\x7e]+$/.test(location) || location.includes("\\")) throw blocked("a redirect cannot be parsed");
  return new URL(location, url).href;
}

/** Reads a body of at most `most` bytes into memory of its own, because what streams allocate is freed late. */
async function bodyOf({ body }: Response, most: number, ms: number, controller: AbortController): Promise<Uint8Array> {
  // One more byte than allowed, to detect bodies that are too long.
  let buffer = new Uint8Array(most + 1);
  if (!body) return buffer.subarray(0, 0);
  const { into, cancel } = intoOf(body);
  let bytes = 0;
  try {
    while (bytes <= most) {
      const [at, previous] = [bytes, buffer];
      const { done, more, memory } = await withinTime(ms, controller, () => into(previous, at));
      buffer = memory;
      bytes += more;
      if (done) return buffer.subarray(0, bytes);
    }
    throw lost(`it sent more than ${most} bytes`);
  } finally {
    void cancel().catch(() => {});
  }
}

type Memory = Uint8Array<ArrayBuffer>;
type Into = Readonly<{
  /** Reads the next bytes into memory at a position, and returns the memory, which may have moved. */
  into(memory: Memory, at: number): Promise<Readonly<{ done: boolean; more: number; memory: Memory }>>;
  cancel(): Promise<void>;
}>;

function intoOf(body: ReadableStream<Memory>): Into {
  try {
    const reader = body.getReader({ mode: "byob" });
    return {
      into: async (memory, at) => {
        const { done, value } = await reader.read(memory.subarray(at));
        return { done, more: value?.length ?? 0, memory: value ? new Uint8Array(value.buffer) : memory };
      },
      cancel: () => reader.cancel(),
    };
  } catch {
    // Not every stream is a byte stream.
    const reader = body.getReader();
    return {
      into: async (memory, at) => {
        const { done, value } = await reader.read();
        const more = value?.length ?? 0;
        if (value && more <= memory.length - at) memory.set(value, at);
        return { done, more, memory };
      },
      cancel: () => reader.cancel(),
    };
  }
}

async function withinTime<T>(ms: number, controller: AbortController, act: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => {
      controller.abort();
      fail(lost(`no data for ${ms / 1000} s`));
    }, ms);
  });
  try {
    return await Promise.race([act(), late]);
  } catch (error) {
    throw error instanceof AttuneError ? error : lost("it cannot be reached");
  } finally {
    clearTimeout(timer);
  }
}
