/** Cross-origin requests from web pages; by default there are none. */
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { badValue } from "../../core/base/errors.ts";

/** How long a browser may cache a preflight, in seconds. */
const CACHED_SECONDS = 600;

/** Allows requests from pages of some origins; `*`: of all. Throws AttuneError if one is no origin. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const known = origins.map(originOf);
  return cors({
    origin: known.includes("*") ? "*" : [...known],
    allowMethods: ["GET", "POST", "DELETE"],
    // A page sets the key in a header itself, never in a cookie, so it may send any headers.
    exposeHeaders: ["retry-after"],
    maxAge: CACHED_SECONDS,
  });
}

/** Normalizes an origin to the form that browsers send: without a path, a final slash or a default port. */
function originOf(text: string): string {
  if (text === "*") return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // The URL standard gives apps' schemes (capacitor://localhost) no origin.
  const origin = url && (url.origin === "null" ? `${url.protocol}//${url.host}` : url.origin);
  if (url && origin && url.host !== "" && [origin, `${origin}/`].includes(url.href)) return origin;
  throw badValue("serve", "cors", text, 'an origin like "https://app.example" or "http://localhost:3000", or "*"');
}
