/** Routes, each declared in one place: its path, access, limits and handler. */
import type { Context } from "hono";
import type * as v from "valibot";
import type { Json } from "../../core/types.ts";
import type { Incoming } from "./body.ts";

/** The scopes that a key may have. */
export const scopes = ["tokenize", "evaluate", "infer", "merge", "models", "files", "jobs", "runners"] as const;

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** Access to a route: everybody, or callers whose key has this scope. */
export type Policy = "public" | Scope;

/** The class of a request by its cost; each class has its own rate. */
export type RateClass = "light" | "heavy" | "submit" | "runner";

/**
 * The caller of a request. `tenant`: whose files, jobs and adapters are visible; `tenants`: for runners of all tenants;
 * `key`: the key's digest, which reveals nothing about it.
 */
export type Caller = Readonly<{ tenant: string; tenants?: "all"; scopes: readonly Scope[]; key: string }>;

/** Variables of a handler's context: `caller` (nobody on a public route), `incoming` (the body, within its limit). */
export type EdgeEnv = { Variables: { caller: Caller; incoming: Incoming } };

/** The request context of handlers. */
export type EdgeContext = Context<EdgeEnv>;

/** A schema of any type. */
export type AnySchema = v.GenericSchema<unknown, unknown>;

/**
 * The workers that respond: `compute`, one request at a time, terminated if it takes too long; `model`, whose models
 * stay in memory; `stream`, for streamed request bodies; `merge`, for streamed responses.
 */
export type Lane = "compute" | "model" | "stream" | "merge";

/** How a route's work is divided between this thread and others. */
export type Division = Readonly<{
  lane: Lane;
  /** Bytes above which a body is not even parsed in this thread. */
  bytes: number;
  /** Whether a JSON body, not yet checked, is handled in this thread. */
  isLight(body: unknown): boolean;
}>;

/** One route. */
export type Route = Readonly<{
  method: "get" | "post" | "put" | "delete";
  /** The path in Hono's syntax. */
  path: string;
  policy: Policy;
  rate: RateClass;
  /** Most bytes of a body, for all media types or by type; 0: no body. */
  maxBytes: number | Readonly<Record<string, number>>;
  /** The time that a body may take to arrive, if not the usual one. */
  seconds?: number;
  summary: string;
  description?: string;
  /** Schemas of the accepted bodies, by media type. */
  accepts?: Readonly<Record<string, AnySchema>>;
  /** An example of the first type's body, which works if the models in it exist. */
  example?: Json;
  /** Descriptions of the query's parameters. */
  query?: Readonly<Record<string, string>>;
  /** Schemas of the response by media type; absent: JSON. */
  answers?: Readonly<Record<string, AnySchema>>;
  /** The division of its work with other threads, if there are any. */
  work?: Division;
  handle(c: EdgeContext): Response | Promise<Response>;
}>;

/** Returns a route with a JSON body: the handler receives the checked body, and /openapi.json contains the schema. */
export function jsonRoute<T>(
  { body, handle, ...route }:
    & Omit<Route, "accepts" | "handle">
    & Readonly<{ body: v.GenericSchema<unknown, T>; handle(c: EdgeContext, body: T): Response | Promise<Response> }>,
): Route {
  return {
    ...route,
    accepts: { "application/json": body },
    handle: async (c) => await handle(c, await c.get("incoming").json(body)),
  };
}
