/**
 * A fetch handler as a server on Deno.
 * @module
 */
import type { Handler, Listening, ListenOptions } from "../listen.ts";

/** What is used of Deno. */
type DenoServe = Readonly<{
  serve(
    options: Readonly<{
      port: number;
      hostname: string;
      signal: AbortSignal;
      onListen(address: Readonly<{ port: number }>): void;
    }>,
    handler: Handler,
  ): Readonly<{ finished: Promise<void> }>;
}>;

/** Serves until it is closed. */
export async function serveDeno(handler: Handler, { port, hostname }: ListenOptions): Promise<Listening> {
  const { Deno } = globalThis as unknown as { Deno: DenoServe };
  const stop = new AbortController();
  return await new Promise((resolve) => {
    const { finished } = Deno.serve({
      port,
      hostname,
      signal: stop.signal,
      onListen: ({ port }) =>
        resolve({
          port,
          close: async () => {
            stop.abort();
            await finished;
          },
        }),
    }, (request) => handler(request));
  });
}
