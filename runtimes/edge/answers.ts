/**
 * What every route answers with: OpenAI's error shape, checked bodies, bearer tokens, lists.
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import * as v from "valibot";
import { issuePath } from "../../core/define.ts";
import { AttuneError } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";

/** Statuses of errors. */
export type ErrorStatus = 400 | 401 | 404 | 409 | 413 | 429 | 500 | 503;

/** An error to throw from a route: `{ "error": { "message", "type", "code", "param" } }`. */
export function failed(status: ErrorStatus, code: string, message: string, param: string | null = null): HTTPException {
  const type = status === 401
    ? "authentication_error"
    : status >= 500
    ? "server_error"
    : status === 429
    ? "rate_limit_error"
    : "invalid_request_error";
  return new HTTPException(status, { res: Response.json({ error: { message, type, code, param } }, { status }) });
}

/** Turns what routes throw into answers; of an unknown error nothing is told but that there was one. */
export function answerError(error: Error): Response {
  if (error instanceof HTTPException) return error.getResponse();
  if (error instanceof AttuneError) {
    const message = error.message.replace(/^\[attune\] (\[[\w.-]+\] )?/, "");
    const own = error.code === "STORE" || error.code === "DISK_FULL" ? 503 : 400;
    return failed(own, error.code.toLowerCase(), message, error.path || null).getResponse();
  }
  return failed(500, "internal_error", "The server had an error").getResponse();
}

/** The body as JSON, checked. Throws what a route throws. */
export async function jsonBody<T>(c: Context, schema: v.GenericSchema<unknown, T>): Promise<T> {
  let body: unknown;
  try {
    body = await c.req.json();
  } catch {
    throw failed(400, "invalid_json", "The body is not JSON");
  }
  return checked(schema, body);
}

/** A value, checked against a schema. Throws what a route throws. */
export function checked<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const { success, output, issues } = v.safeParse(schema, value);
  if (success) return output;
  const [issue] = issues;
  const param = issuePath(issue.path as readonly { key: PropertyKey }[] | undefined) || null;
  throw failed(400, "invalid_value", `${param ?? "body"}: ${issue.message}`, param);
}

/** Lets pass who has one of the tokens. Compared as hashes, so that time tells nothing. */
export function bearer(tokens: readonly string[]): MiddlewareHandler {
  const known = Promise.all(tokens.map((token) => sha256(token)));
  return async (c, next) => {
    const given = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (given === undefined) throw failed(401, "missing_api_key", "A bearer token is missing");
    if (!(await known).includes(await sha256(given))) throw failed(401, "invalid_api_key", "The bearer token is wrong");
    await next();
  };
}

/** How a list is asked for. */
export type PageQuery = Readonly<{ after: string | undefined; limit: number }>;

/** `after` and `limit` of a query. */
export function pageOf(c: Context, most = 100): PageQuery {
  const limit = Number(c.req.query("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > most) {
    throw failed(400, "invalid_value", `limit: a whole number from 1 to ${most} is expected`, "limit");
  }
  return { after: c.req.query("after"), limit };
}

/** A page as OpenAI's clients read it. */
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
