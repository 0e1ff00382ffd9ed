/** An HTTP server for a fetch handler, with each runtime's own server. */
import { AttuneError } from "../../core/base/errors.ts";
import { thisRuntime } from "./host.ts";
import type { Handler, Listening, ListenOptions } from "./servers/options.ts";

/** Starts a server, which runs until it is closed. Throws AttuneError (`LISTEN`) if the port is taken or forbidden. */
export async function listen(handler: Handler, options: ListenOptions): Promise<Listening> {
  try {
    return await served(handler, options);
  } catch (cause) {
    const { port, hostname } = options;
    const { code } = cause as NodeJS.ErrnoException;
    const taken = code === "EADDRINUSE" || (cause instanceof Error && cause.name === "AddrInUse");
    const why = taken ? "another program uses it" : cause instanceof Error ? cause.message : String(cause);
    throw new AttuneError(`Cannot listen on port ${port} of ${hostname}: ${why}`, {
      code: "LISTEN",
      plugin: "serve",
      cause,
    });
  }
}

async function served(handler: Handler, options: ListenOptions): Promise<Listening> {
  switch (thisRuntime()) {
    case "bun":
      return await (await import("./servers/bun.ts")).serveBun(handler, options);
    default:
      return await (await import("./servers/node.ts")).serveNode(handler, options);
  }
}
