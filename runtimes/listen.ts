/**
 * A fetch handler as an HTTP server: each runtime's own.
 * @module
 */
import { thisRuntime } from "./host.ts";

/** A server that listens. */
export type Listening = Readonly<{ port: number; close(): Promise<void> }>;

/** What answers. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** Where; port 0 takes a free one. `headersSeconds`: how long a request's headers may take (Bun has its own limit). */
export type ListenOptions = Readonly<{ port: number; hostname: string; headersSeconds?: number }>;

/** How long headers may take where nothing is said. */
export const HEADERS_SECONDS = 30;

/** Serves until it is closed. */
export async function listen(handler: Handler, options: ListenOptions): Promise<Listening> {
  switch (thisRuntime()) {
    case "bun":
      return await (await import("./servers/bun.ts")).serveBun(handler, options);
    default:
      return await (await import("./servers/node.ts")).serveNode(handler, options);
  }
}
