/** Options and result of every server of a fetch handler. */

/** A listening server. */
export type Listening = Readonly<{ port: number; close(): Promise<void> }>;

/** The function that answers requests. */
export type Handler = (request: Request) => Response | Promise<Response>;

/**
 * Where to listen; port 0 selects a free port. `headersSeconds`: how long a request's headers may take (Bun has its own
 * limit). `alone`: nothing else runs in this process, so on Node and Deno a faster `Response` may replace the global.
 */
export type ListenOptions = Readonly<{ port: number; hostname: string; headersSeconds?: number; alone?: boolean }>;

/** Default time that headers may take, in seconds. */
export const HEADERS_SECONDS = 30;
