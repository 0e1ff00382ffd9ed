/**
 * A fetch handler as a server on Node.
 * @module
 */
import { serve } from "@hono/node-server";
import type { Handler, Listening, ListenOptions } from "../listen.ts";

/** Serves until it is closed. */
export async function serveNode(handler: Handler, { port, hostname }: ListenOptions): Promise<Listening> {
  return await new Promise((resolve, reject) => {
    const server = serve(
      // Streams of events have no end; how long bodies may take is the app's to say.
      { fetch: handler, port, hostname, overrideGlobalObjects: false, serverOptions: { requestTimeout: 0 } },
      ({ port }) => resolve({ port, close: closed }),
    );
    server.once("error", reject);
    const closed = (): Promise<void> =>
      new Promise((done) => {
        server.close(() => done());
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
  });
}
