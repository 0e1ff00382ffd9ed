/** Routes, each declared in one place: its path, who may use it, its limits, and what it does. */
import type { Context } from "hono";
import type * as v from "valibot";
import type { Json } from "../../core/types.ts";
import type { Incoming } from "./body.ts";

/** The scopes that a key may have. */
export const scopes = ["tokenize", "evaluate", "infer", "merge", "models", "files", "jobs", "runners"] as const;

/** One of {@link scopes}. */
export type Scope = (typeof scopes)[number];

/** Who may use a route: everybody, or who has a key of this scope. */
export type Policy = "public" | Scope;

/** How much a request costs: each class has a rate of its own. */
export type RateClass = "light" | "heavy" | "submit" | "runner";

/**
 * Who asks. `tenant`: whose files, jobs and adapters are seen; `tenants`: a runner that may take the jobs of all; `key`: the
 * key's digest, which tells nothing of it.
 */
export type Caller = Readonly<{ tenant: string; tenants?: "all"; scopes: readonly Scope[]; key: string }>;

/** The variables in a handler's context: `caller` (nobody on a public route), `incoming` (the body, within its limit). */
export type EdgeEnv = { Variables: { caller: Caller; incoming: Incoming } };

/** A request as handlers get it. */
export type EdgeContext = Context<EdgeEnv>;

/** A schema of anything. */
export type AnySchema = v.GenericSchema<unknown, unknown>;

/**
 * Which workers answer: `compute`, one request at a time, ended where it takes too long; `model`, whose models stay in
 * memory; `stream`, whose bodies flow; `merge`, whose answers do.
 */
export type Lane = "compute" | "model" | "stream" | "merge";

/** How a route is divided between this thread and others. */
export type Division = Readonly<{
  lane: Lane;
  /** Larger bodies are not even parsed here. */
  bytes: number;
  /** Whether a body of JSON, not checked yet, is answered here. */
  isLight(body: unknown): boolean;
}>;

/** One route. */
export type Route = Readonly<{
  method: "get" | "post" | "put" | "delete";
  /** As Hono writes it. */
  path: string;
  policy: Policy;
  rate: RateClass;
  /** The most bytes of a body, or those of each media type; 0: it has none. */
  maxBytes: number | Readonly<Record<string, number>>;
  /** For how long a body may come, where not as long as others. */
  seconds?: number;
  summary: string;
  description?: string;
  /** Bodies that it takes, by media type. */
  accepts?: Readonly<Record<string, AnySchema>>;
  /** A body of the first of these types that works where the models that it names are there. */
  example?: Json;
  /** Descriptions of the query's parameters. */
  query?: Readonly<Record<string, string>>;
  /** Schemas of the answer by media type; absent: JSON. */
  answers?: Readonly<Record<string, AnySchema>>;
  /** The part of its work that other threads do, if there are any. */
  work?: Division;
  handle(c: EdgeContext): Response | Promise<Response>;
}>;

/** A route that takes JSON: its handler is given the checked body, and the schema is what /openapi.json says. */
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
