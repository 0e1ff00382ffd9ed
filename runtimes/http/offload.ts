/** Requests that other threads answer, so that the listening thread does no long computation. */
import { AttuneError } from "../../core/base/errors.ts";
import { parseJson } from "./body.ts";
import { checked } from "./responses.ts";
import type { Caller, Division, EdgeContext, Lane, Route } from "./route.ts";

/** A request for a worker. */
export type Work = Readonly<{
  lane: Lane;
  /** Whether it may take longer than others, so that a worker is kept free for those. */
  long?: boolean;
  method: string;
  /** The path with the query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  caller?: Caller;
  body: Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  /** Aborted when nobody waits for the work any more. */
  signal?: AbortSignal | undefined;
}>;

/** Threads that answer requests in place of the listening thread. */
export type Workers = Readonly<{
  /** Throws AttuneError: `WORK_LIMIT` if work exceeds a limit of time or memory, `BUSY` if there is no room for it. */
  fetch(work: Work): Promise<Response>;
}>;

/** Returns the error for a request that takes too long to compute. */
export function tooLong(seconds: number): AttuneError {
  return new AttuneError(`The request took longer than ${seconds} s to compute: ask for less at once`, {
    code: "WORK_LIMIT",
  });
}

/** The division of routes that the listening thread never answers. */
export const alwaysOffloaded: Pick<Division, "bytes" | "isLight"> = { bytes: 0, isLight: () => false };

/** Returns a worker's response; undefined if the route itself is to respond, with a body that may already be read. */
export async function runOffloaded(
  c: EdgeContext,
  route: Route,
  workers: Workers | undefined,
): Promise<Response | undefined> {
  if (!workers || !route.work) return undefined;
  const { lane, bytes: most, isLight } = route.work;
  const incoming = c.get("incoming");
  const { pathname, search } = new URL(c.req.url);
  const { signal } = c.req.raw;
  const headers = Object.fromEntries(
    ["content-type", "idempotency-key"].flatMap((name) => [[name, c.req.header(name) ?? ""]]).filter(([, text]) =>
      text !== ""
    ),
  );
  const shared = {
    method: c.req.method,
    path: pathname + search,
    headers,
    caller: c.get("caller"),
    signal,
  };
  if (incoming.type !== "application/json") {
    return await workers.fetch({ ...shared, lane: "stream", body: incoming.parts() });
  }
  const bytes = await incoming.bytes();
  if (bytes.length <= most) {
    const json = parseJson(bytes);
    if (isLight(json)) {
      c.set("incoming", {
        ...incoming,
        bytes: () => Promise.resolve(bytes),
        json: async (schema) => checked(schema, json),
      });
      return undefined;
    }
  }
  return await workers.fetch({ ...shared, lane, body: bytes });
}
