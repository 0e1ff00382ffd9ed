/** Requests to the hub: endpoint, token, redirects and timeouts. */
import { badValue } from "../base/errors.ts";
import type { Host } from "../types.ts";
import { VERSION } from "../base/version.ts";
import { hubError, refusal } from "./errors.ts";

/** Maximum number of redirects of a request. */
const MAX_REDIRECTS = 8;

/** Seconds to wait for an answer, or for its next bytes. */
const TIMEOUT = 30;

/** Options of a request. `from`: the first byte to request. */
export type HubRequest = Readonly<{ method?: "GET" | "HEAD"; from?: number }>;

/** A client of the hub. */
export interface HubClient {
  /**
   * Sends a request and returns the response; errors name it as `what`. A HEAD request stops at the redirect that has a
   * large file's size. Throws AttuneError if the hub cannot be reached or refuses.
   */
  request(path: string, what: string, request?: HubRequest): Promise<Response>;
  /** Yields a response's bytes; throws AttuneError if they stop arriving. */
  body(response: Response, what: string): AsyncIterable<Uint8Array>;
}

/** Creates a client for HF_ENDPOINT with HF_TOKEN or the saved token. Throws AttuneError if either is malformed. */
export async function hubClient(host: Host): Promise<HubClient> {
  const endpoint = endpointOf(host.env.HF_ENDPOINT);
  const token = await tokenOf(host);
  const milliseconds = 1000 * (Number(host.env.HF_HUB_DOWNLOAD_TIMEOUT) || TIMEOUT);
  const unreachable = (url: URL, cause: unknown): Error =>
    hubError("HUB_UNREACHABLE", `${url.origin} cannot be reached (${reasonOf(cause)})`, url.origin, cause);

  const send = async (url: URL, { method = "GET", from = 0 }: HubRequest): Promise<Response> => {
    const headers: Record<string, string> = {
      "user-agent": `attune/${VERSION}; ${host.runtime}`,
      // Without compression, sizes and ranges are those of the file itself.
      "accept-encoding": "identity",
    };
    if (from > 0) headers.range = `bytes=${from}-`;
    // The token is only for the hub, not for servers that it redirects to.
    if (token !== undefined && url.origin === endpoint.origin) headers.authorization = `Bearer ${token}`;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error(`no answer in ${milliseconds / 1000} s`)), milliseconds);
    try {
      return await host.fetch(url.href, { method, headers, redirect: "manual", signal: controller.signal });
    } catch (cause) {
      throw unreachable(url, controller.signal.aborted ? controller.signal.reason : cause);
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    request: async (path, what, request = {}) => {
      let url = new URL(endpoint.href.replace(/\/$/, "") + path);
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        const response = await send(url, request);
        const { status, headers } = response;
        const location = status >= 300 && status < 400 ? headers.get("location") : null;
        if (location === null || (request.method === "HEAD" && headers.has("x-linked-etag"))) {
          if (status < 400) return response;
          await response.body?.cancel();
          throw refusal(status, headers.get("x-error-code"), what);
        }
        await response.body?.cancel();
        const next = parsed(location, url);
        if (!next || (next.protocol !== "https:" && next.protocol !== endpoint.protocol)) {
          throw hubError("HUB_ANSWER", `The hub sends ${what} on to ${location}`, what);
        }
        url = next;
      }
      throw hubError("HUB_ANSWER", `The hub sends ${what} on more than ${MAX_REDIRECTS} times`, what);
    },
    body: async function* (response, what) {
      const reader = response.body?.getReader();
      if (!reader) return;
      try {
        for (;;) {
          const { done, value } = await inTime(reader.read(), milliseconds);
          if (done) return;
          yield value;
        }
      } catch (cause) {
        throw hubError(
          "HUB_UNREACHABLE",
          `${what} stopped arriving (${reasonOf(cause)}); run again to resume from there`,
          what,
          cause,
        );
      } finally {
        await reader.cancel().catch(() => {});
      }
    },
  };
}

/** Returns a response's text. Throws AttuneError if it is longer than `limit` bytes. */
export async function limitedText(client: HubClient, response: Response, what: string, limit: number): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const part of client.body(response, what)) {
    bytes += part.length;
    if (bytes > limit) {
      throw hubError("HUB_ANSWER", `The hub's response for ${what} is longer than ${limit} bytes`, what);
    }
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}

function endpointOf(address: string | undefined): URL {
  const url = parsed(address || "https://huggingface.co");
  if (url && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") return url;
  throw badValue("hub", "HF_ENDPOINT", address, "a URL as https://huggingface.co");
}

function parsed(text: string, base?: URL): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

async function tokenOf({ env, hubCache }: Host): Promise<string | undefined> {
  const implicit = /^(1|true|yes|on)$/i.test(env.HF_HUB_DISABLE_IMPLICIT_TOKEN ?? "")
    ? undefined
    : await hubCache?.token?.();
  const token = (env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || implicit)?.trim();
  if (!token) return undefined;
  // The error does not show the token, which is a secret.
  if (!/^[\x21-\x7e]+$/.test(token)) throw badValue("hub", "HF_TOKEN", "(hidden)", "one word of plain characters");
  return token;
}

async function inTime<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no data for ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
