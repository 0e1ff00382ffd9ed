/** Requests that other threads answer, so that the one that listens computes nothing that takes long. */
import { AttuneError } from "../../core/base/errors.ts";
import { parseJson } from "./body.ts";
import { checked } from "./responses.ts";
import type { Caller, Division, EdgeContext, Lane, Route } from "./route.ts";

/** A request for a worker. */
export type Work = Readonly<{
  lane: Lane;
  /** May take longer than others, and leaves a worker to them. */
  long?: boolean;
  method: string;
  /** With its query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  caller?: Caller;
  body: Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  /** Ends the work when nobody waits for it any more. */
  signal?: AbortSignal | undefined;
}>;

/** Where requests are answered besides the thread that listens. */
export type Workers = Readonly<{
  /** Throws AttuneError: `WORK_LIMIT` where it passes a limit of time or memory, `BUSY` where there is no room for it. */
  fetch(work: Work): Promise<Response>;
}>;

/** What a request is refused with that takes longer to compute than it may. */
export function tooLong(seconds: number): AttuneError {
  return new AttuneError(`The request took longer than ${seconds} s to compute: ask for less at once`, {
    code: "WORK_LIMIT",
  });
}

/** Never here. */
export const never: Pick<Division, "bytes" | "isLight"> = { bytes: 0, isLight: () => false };

/** The answer of a worker; undefined if the route itself is to answer, whose body may have been read by then. */
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
