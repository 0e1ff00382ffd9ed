/** A fetch handler as a server on Node, and on Deno, whose own server waits for headers without end. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { serve } from "@hono/node-server";
import { withExactLength } from "../../http/body.ts";
import { type Handler, HEADERS_SECONDS, type Listening, type ListenOptions } from "./options.ts";

/** A body of no more bytes is read to its end where nobody wanted it, and its line serves on. */
const SHORT = 2 ** 20;

/** How often it is looked at what still comes of such a body, in milliseconds; how many looks, and how many in vain. */
const [LOOK, LOOKS, VAIN] = [50, 600, 40];

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
        fetch: (request, { incoming, outgoing }) => {
          // The parser keeps a request to its Content-Length.
          const answer = handler(withExactLength(request));
          const bodied = [incoming, outgoing] as [IncomingMessage, ServerResponse];
          return answer instanceof Promise
            ? answer.then((done) => answered(done, ...bodied))
            : answered(answer, ...bodied);
        },
        port,
        hostname,
        overrideGlobalObjects: alone,
        serverOptions,
      },
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

/**
 * An answer that is about to be sent. Where the request's body is still coming, its sender must get to read the answer: who
 * closes a line with unread bytes resets it, and what was sent is lost. So the rest is read and thrown away, for some time;
 * behind a long one the line is closed as HTTP has it: told in the answer, first one way, and then the other.
 */
function answered(answer: Response, incoming: IncomingMessage, outgoing: ServerResponse): Response {
  const { socket, headers } = incoming;
  const length = headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : Infinity;
  if (incoming.complete || length === 0) return answer;
  const closes = length > SHORT || !outgoing.shouldKeepAlive;
  if (closes) outgoing.setHeader("connection", "close");
  // Node would reset the line at once, and the adapter within half a second.
  socket.destroySoon = () => void (closes && socket.end());
  outgoing.once("finish", () => {
    let [bytes, looks, vain] = [socket.bytesRead, 0, 0];
    incoming.resume();
    const timer = setInterval(() => {
      // Looks are counted, not seconds: a thread that was busy has not read what came.
      looks++;
      vain = socket.bytesRead > bytes ? 0 : vain + 1;
      bytes = socket.bytesRead;
      const servesOn = incoming.complete && !closes;
      if (!servesOn && !socket.destroyed && vain < VAIN && looks < LOOKS) return;
      clearInterval(timer);
      Reflect.deleteProperty(socket, "destroySoon");
      if (!servesOn) socket.destroy();
    }, LOOK);
  });
  return answer;
}
