/**
 * A fetch handler as a server on Node, and on Deno, whose own server waits for headers without end.
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { serve } from "@hono/node-server";
import { withExactLength } from "../../http/body.ts";
import { type Handler, HEADERS_SECONDS, type Listening, type ListenOptions } from "./options.ts";

/** Bytes still accepted of a body that nobody reads once the answer is sent, so that its sender sees the answer. */
const LEFT = 2 ** 20;

/** For how long it may come, in milliseconds. */
const LATE = 2000;

/** Serves until it is closed. */
export async function serveNode(
  handler: Handler,
  { port, hostname, headersSeconds = HEADERS_SECONDS, alone = false }: ListenOptions,
): Promise<Listening> {
  const headersTimeout = 1000 * headersSeconds;
  const serverOptions = { requestTimeout: 0, headersTimeout, connectionsCheckingInterval: headersTimeout / 4 };
  return await new Promise((resolve, reject) => {
    const server = serve(
      // Streams of events have no end; how long bodies may take is the app's to say.
      {
        // The parser keeps a request to its Content-Length.
        fetch: (request) => handler(withExactLength(request)),
        port,
        hostname,
        overrideGlobalObjects: alone,
        serverOptions,
      },
      ({ port }) => resolve({ port, close: closed }),
    );
    server.once("error", reject);
    // The adapter would take in what comes within half a second, and Node hands out nothing of a body it throws away.
    server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) =>
      outgoing.once("finish", () => {
        if (incoming.complete) return;
        const { socket } = incoming;
        const [before, since] = [socket.bytesRead, performance.now()];
        const look = setInterval(() => {
          if (incoming.complete || socket.destroyed) clearInterval(look);
          else if (socket.bytesRead - before > LEFT || performance.now() - since > LATE) socket.destroySoon();
        }, 1);
      }));
    const closed = (): Promise<void> =>
      new Promise((done) => {
        server.close(() => done());
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
  });
}
