/** A server for a fetch handler on Node, and on Deno, whose own server waits for headers indefinitely. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { serve } from "@hono/node-server";
import { withExactLength } from "../../http/body.ts";
import { type Handler, HEADERS_SECONDS, type Listening, type ListenOptions } from "./options.ts";

/** Bytes up to which an unwanted body is read to its end, so that its connection can serve further requests. */
const SHORT = 2 ** 20;

/** Interval of checks for the rest of such a body, in milliseconds; the most checks, and the most without progress. */
const [POLL_MS, POLLS, IDLE_POLLS] = [50, 600, 40];

/** Starts a server, which serves until it is closed. */
export async function serveNode(
  handler: Handler,
  { port, hostname, headersSeconds = HEADERS_SECONDS, alone = false }: ListenOptions,
): Promise<Listening> {
  const headersTimeout = 1000 * headersSeconds;
  const serverOptions = { requestTimeout: 0, headersTimeout, connectionsCheckingInterval: headersTimeout / 4 };
  return await new Promise((resolve, reject) => {
    const server = serve(
      // Event streams have no end, and the app itself limits the time of bodies.
      {
        fetch: (request, { incoming, outgoing }) => {
          // The parser enforces a request's Content-Length.
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
 * Prepares a response. If the request's body is still arriving, its sender must be able to read the response: closing a
 * connection with unread bytes resets it, and the response is lost. So the rest is read and dropped for a time; if it
 * is long, the connection is then closed as HTTP requires: announced in the response, one direction after the other.
 */
function answered(answer: Response, incoming: IncomingMessage, outgoing: ServerResponse): Response {
  const { socket, headers } = incoming;
  const length = headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : Infinity;
  if (incoming.complete || length === 0) return answer;
  const closes = length > SHORT || !outgoing.shouldKeepAlive;
  if (closes) outgoing.setHeader("connection", "close");
  // Node would reset the connection at once, and the adapter within half a second.
  socket.destroySoon = () => void (closes && socket.end());
  outgoing.once("finish", () => {
    let [bytes, polls, idlePolls] = [socket.bytesRead, 0, 0];
    incoming.resume();
    const timer = setInterval(() => {
      // Checks are counted rather than seconds, because a busy thread has not read what arrived.
      polls++;
      idlePolls = socket.bytesRead > bytes ? 0 : idlePolls + 1;
      bytes = socket.bytesRead;
      const servesOn = incoming.complete && !closes;
      if (!servesOn && !socket.destroyed && idlePolls < IDLE_POLLS && polls < POLLS) return;
      clearInterval(timer);
      Reflect.deleteProperty(socket, "destroySoon");
      if (!servesOn) socket.destroy();
    }, POLL_MS);
  });
  return answer;
}
