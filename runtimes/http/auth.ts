/** Authentication and rate limits: keys with scopes and tenants, and token buckets. */
import { sha256 } from "../../core/base/sha256.ts";
import { httpError } from "./responses.ts";
import { type Caller, type RateClass, type Scope, scopes } from "./route.ts";

/**
 * A key: its scopes, its tenant, its expiry (seconds since 1970; absent: never). `tenants: "all"`: for runners that
 * take the jobs of every tenant; without it they see only those of their own.
 */
export type Key = Readonly<{
  key: string;
  tenant: string;
  tenants?: "all";
  scopes: readonly Scope[];
  expires?: number;
}>;

/**
 * Returns the keys of a deployment with one tenant: `api` for its users, `runner` for its runners, and `admin` for the
 * operator, with every scope.
 */
export function keysOf(tokens: Readonly<{ api?: string; runner?: string; admin?: string }>): Key[] {
  const people = scopes.filter((scope) => scope !== "runners");
  const of = { api: people, runner: ["runners"], admin: scopes } as const;
  return (["api", "runner", "admin"] as const).flatMap((name) => {
    const key = tokens[name];
    return key ? [{ key, tenant: "default", scopes: of[name] }] : [];
  });
}

/** Identifies the caller of a request. Throws the error to respond with if the key is unknown. */
export type Authenticate = (request: Request) => Promise<Caller>;

/** Checks bearer tokens against keys, in a time that does not depend on how much of a token is right. */
export function authenticator(keys: readonly Key[], time: () => number): Authenticate {
  const known = Promise.all(keys.map(async (key) => ({ ...key, digest: await sha256(key.key) })));
  type Known = Awaited<typeof known>[number];
  // Digests of accepted tokens are kept, because computing them takes longer than many requests.
  const passed = new Map<string, Known>();
  const matched = async (presented: string): Promise<Known> => {
    const digest = await sha256(presented);
    let caller: Known | undefined;
    // Compares all keys, and all characters of their digests, so that the time reveals nothing.
    for (const key of await known) if (equalDigests(key.digest, digest)) caller = key;
    if (!caller) throw httpError(401, "invalid_api_key", "The bearer token is invalid");
    passed.set(presented, caller);
    return caller;
  };
  return async (request) => {
    const key = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (key === undefined) throw httpError(401, "missing_api_key", "A bearer token is missing");
    const caller = passed.get(key) ?? await matched(key);
    if (caller.expires !== undefined && caller.expires <= time()) {
      throw httpError(401, "expired_api_key", "The bearer token has expired");
    }
    const { tenant, tenants, scopes, digest } = caller;
    return { tenant, ...(tenants ? { tenants } : {}), scopes, key: digest };
  };
}

/** Whether two digests are equal, in a time that does not depend on where they differ. */
export function equalDigests(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** A rate: `perSecond` requests, and up to `burst` of them at once. */
export type Rate = Readonly<{ perSecond: number; burst: number }>;

/** Rates of the classes. "failed": requests without a known key, all together. */
export type Rates = Readonly<Record<RateClass | "failed", Rate>>;

/** Takes one request from a bucket: returns 0, or the seconds until there is room. Several processes can share one. */
export type Limiter = (bucket: string, rate: Rate) => number | Promise<number>;

/** Number of buckets that are remembered. */
const MOST = 10_000;

/** Returns a limiter with token buckets in this process. `now`: a monotonic clock in milliseconds. */
export function tokenBuckets(now: () => number): Limiter {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (name, { perSecond, burst }) => {
    const at = now();
    const bucket = buckets.get(name) ?? { tokens: burst, at };
    const tokens = Math.min(burst, bucket.tokens + (at - bucket.at) / 1000 * perSecond);
    const passes = tokens >= 1;
    buckets.delete(name);
    buckets.set(name, { tokens: passes ? tokens - 1 : tokens, at });
    // The least recently used bucket is full again, so it can be forgotten.
    if (buckets.size > MOST) { for (const oldest of buckets.keys()) return buckets.delete(oldest), passes ? 0 : 1; }
    return passes ? 0 : (1 - tokens) / perSecond;
  };
}
