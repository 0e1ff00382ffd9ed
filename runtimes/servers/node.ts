/**
 * A fetch handler as a server on Node.
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { serve } from "@hono/node-server";
import type { Handler, Listening, ListenOptions } from "../listen.ts";

/** What may still come of a body that nobody reads behind the answer, so that its sender sees the answer. */
const LEFT = 2 ** 20;

/** Serves until it is closed. */
export async function serveNode(handler: Handler, { port, hostname }: ListenOptions): Promise<Listening> {
  return await new Promise((resolve, reject) => {
    const server = serve(
      // Streams of events have no end; how long bodies may take is the app's to say.
      { fetch: handler, port, hostname, overrideGlobalObjects: false, serverOptions: { requestTimeout: 0 } },
      ({ port }) => resolve({ port, close: closed }),
    );
    server.once("error", reject);
    // The adapter would take in 64 MiB of it.
    server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) =>
      outgoing.once("finish", () => {
        if (incoming.complete) return;
        let left = 0;
        incoming.on("data", (part: Uint8Array) => {
          left += part.length;
          if (left > LEFT) incoming.socket.destroySoon();
        });
      }));
    const closed = (): Promise<void> =>
      new Promise((done) => {
        server.close(() => done());
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
  });
}
