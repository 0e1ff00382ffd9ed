/** A server for a fetch handler on Bun. */
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

/** Starts a server, which serves until it is closed. */
export async function serveBun(handler: Handler, { port, hostname }: ListenOptions): Promise<Listening> {
  const { Bun } = globalThis as unknown as { Bun: BunServe };
  // Event streams may be silent for long, and the app itself limits the size and time of bodies.
  const server = Bun.serve({
    fetch: (request) => handler(request),
    port,
    hostname,
    idleTimeout: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  });
  return { port: server.port, close: async () => await server.stop(true) };
}
