/** Which pages of other origins may ask: by default none. */
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { badValue } from "../../core/base/errors.ts";

/** How long a browser believes a preflight, in seconds. */
const BELIEVED = 600;

/** Lets pages of some origins ask, `*`: of all. Throws AttuneError if one is no origin. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const known = origins.map(originOf);
  return cors({
    origin: known.includes("*") ? "*" : [...known],
    allowMethods: ["GET", "POST", "DELETE"],
    // A key is in a header that the page itself sets, never in a cookie: what headers a page may send is left to it.
    exposeHeaders: ["retry-after"],
    maxAge: BELIEVED,
  });
}

/** An origin as browsers send it: no path, no slash at its end, no port that goes without saying. */
function originOf(text: string): string {
  if (text === "*") return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Those of apps (capacitor://localhost) have no origin of their own in the standard's sense.
  const origin = url && (url.origin === "null" ? `${url.protocol}//${url.host}` : url.origin);
  if (url && origin && url.host !== "" && [origin, `${origin}/`].includes(url.href)) return origin;
  throw badValue("serve", "cors", text, 'an origin like "https://app.example" or "http://localhost:3000", or "*"');
}
