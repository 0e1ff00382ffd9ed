/** Responses common to all routes: errors in OpenAI's shape, checked bodies, lists. */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import * as v from "valibot";
import { issuePath } from "../../core/spec/define.ts";
import { AttuneError } from "../../core/base/errors.ts";

/** HTTP statuses of errors. */
export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 429 | 500 | 503;

const types: Readonly<Partial<Record<ErrorStatus, string>>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
};

/** Returns an error to throw from a route: `{ "error": { "message", "type", "code", "param" } }`. */
export function httpError(
  status: ErrorStatus,
  code: string,
  message: string,
  param: string | null = null,
  headers: Readonly<Record<string, string>> = {},
): HTTPException {
  const type = types[status] ?? "invalid_request_error";
  const res = Response.json({ error: { message, type, code, param } }, { status, headers });
  return new HTTPException(status, { res });
}

/** Converts errors that routes throw to responses; unknown errors reveal nothing but that one occurred. */
export function answerError(error: Error): Response {
  if (error instanceof HTTPException) return error.getResponse();
  if (error instanceof AttuneError) {
    const { code } = error;
    // A store's messages contain its paths and hosts.
    if (code === "STORE" || code === "DISK_FULL") {
      return httpError(503, "store_failed", "The store failed").getResponse();
    }
    if (code === "BUSY") return httpError(503, "busy", error.sentence, null, { "retry-after": "1" }).getResponse();
    if (code === "WORK_LIMIT" || code === "WORK_LOST") {
      return httpError(503, code.toLowerCase(), error.sentence).getResponse();
    }
    // The operator is told what to install; callers need not know.
    if (code === "NOT_INSTALLED") return httpError(503, "not_configured", "This server runs no models").getResponse();
    if (code === "BAD_KEY") return httpError(400, "bad_key", "There is nothing with this name").getResponse();
    return httpError(400, code.toLowerCase(), error.sentence, error.path || null).getResponse();
  }
  return httpError(500, "internal_error", "The server had an internal error").getResponse();
}

/** Checks a value against a schema. Throws the error to respond with. */
export function checked<T>(schema: v.GenericSchema<unknown, T>, value: unknown, where = "body"): T {
  // One issue is enough: a list of a million wrong values need not produce a million.
  const { success, output, issues } = v.safeParse(schema, value, { abortEarly: true });
  if (success) return output;
  const [issue] = issues;
  const param = issuePath(issue.path as readonly { key: PropertyKey }[] | undefined) || null;
  throw httpError(400, "invalid_value", `${param ?? where}: ${issue.message}`, param);
}

/** The requested page of a list. */
export type PageQuery = Readonly<{ after: string | undefined; limit: number }>;

/** Reads `after` and `limit` from the query. */
export function pageOf(c: Context, most = 100): PageQuery {
  const limit = Number(c.req.query("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > most) {
    throw httpError(400, "invalid_value", `limit: a whole number from 1 to ${most} is expected`, "limit");
  }
  return { after: c.req.query("after"), limit };
}

/** Returns the error for an `after` that is not in the requested list. */
export function unknownAfter(after: string | undefined, what: string): HTTPException {
  const cursor = (after ?? "").slice(0, 200);
  return httpError(400, "invalid_value", `after: there is no ${what} ${JSON.stringify(cursor)} in this list`, "after");
}

/** Returns the items after the id `after`. Throws 400 if no item has that id. */
export function pageAfter<T extends { id: string }>(
  all: readonly T[],
  after: string | undefined,
  what: string,
): readonly T[] {
  if (after === undefined) return all;
  const at = all.findIndex(({ id }) => id === after);
  if (at < 0) throw unknownAfter(after, what);
  return all.slice(at + 1);
}

/** Returns a page in OpenAI's format. */
export function listOf<T extends { id: string }>(all: readonly T[], limit: number): object {
  const data = all.slice(0, limit);
  return {
    object: "list",
    data,
    has_more: all.length > limit,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}
