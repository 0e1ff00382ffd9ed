/** A fetch handler as a server on Bun. */
import type { Handler, Listening, ListenOptions } from "./options.ts";

/** The part of Bun that is used. */
type BunServe = Readonly<{
  serve(
    options: Readonly<{
      fetch: Handler;
      port: number;
      hostname: string;
      idleTimeout: number;
      maxRequestBodySize: number;
    }>,
  ): Readonly<{ port: number; stop(now: boolean): Promise<void> }>;
}>;

/** Serves until it is closed. */
export async function serveBun(handler: Handler, { port, hostname }: ListenOptions): Promise<Listening> {
  const { Bun } = globalThis as unknown as { Bun: BunServe };
  // Streams of events may be silent for long; how much and how long bodies may be is the app's to say.
  const server = Bun.serve({
    fetch: (request) => handler(request),
    port,
    hostname,
    idleTimeout: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  });
  return { port: server.port, close: async () => await server.stop(true) };
}
