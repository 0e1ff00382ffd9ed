/** A server laid out as the hub: api, resolve with redirects of large files to another origin, ranges, refusals. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The commit of every repository. */
export const commit: string = "c0ffee".repeat(6) + "cafe";

/** How a server behaves besides. */
export type HubServerOptions = Readonly<{
  files: Readonly<Record<string, Uint8Array>>;
  /** Breaks off each answer for model.safetensors behind so many bytes, this often. */
  cut?: { bytes: number; times: number };
  /** Ignores ranges. */
  whole?: boolean;
  /** Sends these bytes of a large file in place of its own. */
  wrong?: Uint8Array;
  /** Answers everything with this status. */
  status?: number;
  /** The revisions that there are besides the commit. */
  revisions?: readonly string[];
  /** Never answers. */
  silent?: boolean;
}>;

/** A running server. `log`: one line a request; requests to the second origin begin with "cdn". */
export interface HubServer {
  readonly url: string;
  readonly log: string[];
  close(): Promise<void>;
}

/** The etag that the hub gives a large file. */
export function etagOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Starts the hub and the origin that its large files lie on. */
export async function startHub(options: HubServerOptions): Promise<HubServer> {
  const { files } = options;
  const log: string[] = [];
  let cuts = options.cut?.times ?? 0;
  const note = (origin: string, { method, url, headers }: IncomingMessage): void => {
    const token = headers.authorization === undefined ? "" : ` ${headers.authorization}`;
    log.push(`${origin}${method} ${url}${headers.range ? ` ${headers.range}` : ""}${token}`);
  };
  const send = (request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, headers: object): void => {
    const from = options.whole ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const body = bytes.subarray(from);
    const range = from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { ...headers, ...range, "content-length": body.length });
    if (request.method === "HEAD") return void response.end();
    if (options.cut && cuts > 0 && request.url?.includes("model.safetensors")) {
      cuts--;
      response.write(body.subarray(0, options.cut.bytes));
      return void setTimeout(() => response.destroy(), 250);
    }
    response.end(body);
  };
  const cdn = createServer((request, response) => {
    note("cdn ", request);
    const bytes = files[request.url?.slice(1) ?? ""];
    if (!bytes) return void response.writeHead(404).end();
    send(request, response, options.wrong ?? bytes, {});
  });
  const cdnUrl = await listening(cdn);
  const hub = createServer((request, response) => {
    note("", request);
    const url = request.url ?? "";
    const deny = (status: number, reason?: string): void =>
      void response.writeHead(status, reason === undefined ? {} : { "x-error-code": reason }).end();
    if (options.silent) return;
    if (options.status !== undefined) return deny(options.status);
    if (url.includes("/gated/") && request.headers.authorization !== "Bearer good") return deny(401, "GatedRepo");
    if (url.includes("/none")) return deny(request.headers.authorization ? 404 : 401, "RepoNotFound");
    if (url.includes("/forbidden/")) return deny(403);
    const api = /^\/api\/(?:models|datasets)\/(?:[\w-]+\/)?[\w-]+\/revision\/(.+)$/.exec(url);
    if (api) {
      const { revisions = ["main", "refs/pr/1", "refs/convert/parquet"] } = options;
      if (![commit, ...revisions].includes(decodeURIComponent(api[1] ?? ""))) {
        return deny(404, "RevisionNotFound");
      }
      const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
      return void response.writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ sha: commit, siblings }));
    }
    // A repository that was renamed.
    if (url.startsWith("/old/")) return void response.writeHead(307, { location: url.replace("/old/", "/org/") }).end();
    const name = decodeURIComponent(
      /^\/[\w/-]+\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(url.split(/[?#]/)[0] ?? "")?.[1] ?? "",
    );
    const bytes = files[name ?? ""];
    if (!name || !bytes) return deny(404, "EntryNotFound");
    const etag = { "x-repo-commit": commit };
    if (name.endsWith(".safetensors")) {
      const large = { "x-linked-etag": `"${etagOf(bytes)}"`, "x-linked-size": bytes.length, etag: '"of-the-redirect"' };
      return void response.writeHead(302, { ...etag, ...large, location: `${cdnUrl}/${name}` }).end();
    }
    // The hub's small files have git's SHA-1.
    const sha1 = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
    send(request, response, bytes, { ...etag, etag: `W/"${sha1}"` });
  });
  return {
    url: await listening(hub),
    log,
    close: async () => {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
