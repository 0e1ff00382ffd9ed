/**
 * A fetch handler as an HTTP server on Node, Bun and Deno.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";

/** A server that listens. */
export type Listening = Readonly<{ port: number; close(): Promise<void> }>;

/** Serves until it is closed; port 0 takes a free one. */
export async function listen(
  handler: (request: Request) => Response | Promise<Response>,
  options: Readonly<{ port: number; hostname: string }>,
): Promise<Listening> {
  const server = createServer((incoming, outgoing) => {
    answer(handler, incoming, outgoing).catch(() => {
      if (!outgoing.headersSent) outgoing.writeHead(500);
      outgoing.end();
    });
  });
  // Streams of events have no end.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.hostname, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections?.();
      }),
  };
}

async function answer(
  handler: (request: Request) => Response | Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, one);
  }
  const method = incoming.method ?? "GET";
  const gone = new AbortController();
  outgoing.on("close", () => gone.abort());
  const hasBody = method !== "GET" && method !== "HEAD";
  const request = new Request(new URL(incoming.url ?? "/", `http://${headers.get("host") ?? "localhost"}`), {
    method,
    headers,
    signal: gone.signal,
    ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>, duplex: "half" } : {}),
  } as RequestInit);
  const response = await handler(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  // An answer that did not wait for the body lets it run out: many clients only listen when they have spoken.
  if (hasBody && !request.bodyUsed) void drain(request);
  if (!response.body || method === "HEAD") return void outgoing.end();
  const reader = response.body.getReader();
  outgoing.on("close", () => void reader.cancel().catch(() => {}));
  outgoing.flushHeaders();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (!outgoing.write(part.value)) {
      await new Promise<void>((resolve) => {
        outgoing.once("drain", resolve);
        outgoing.once("close", resolve);
      });
    }
    if (outgoing.destroyed) return;
  }
  outgoing.end();
}

/** What nobody wants to hear is taken up to this many bytes. */
const DRAIN = 64 * 2 ** 20;

async function drain({ body }: Request): Promise<void> {
  const reader = body?.getReader();
  if (!reader) return;
  let bytes = 0;
  try {
    for (let part = await reader.read(); !part.done && bytes < DRAIN; part = await reader.read()) {
      bytes += part.value.length;
    }
    await reader.cancel();
  } catch {
    // the client has gone
  }
}
