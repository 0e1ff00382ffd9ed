/** What every server of a fetch handler is given, and gives. */

/** A server that listens. */
export type Listening = Readonly<{ port: number; close(): Promise<void> }>;

/** The function that answers requests. */
export type Handler = (request: Request) => Response | Promise<Response>;

/**
 * Where; port 0 takes a free one. `headersSeconds`: how long a request's headers may take (Bun has its own limit). `alone`:
 * nothing else runs in this process, so that on Node and Deno a faster `Response` may take the place of the global one.
 */
export type ListenOptions = Readonly<{ port: number; hostname: string; headersSeconds?: number; alone?: boolean }>;

/** How long headers may take where nothing is said. */
export const HEADERS_SECONDS = 30;
