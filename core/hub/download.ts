/** Downloads a file of the hub into the cache: requested by name, stored by its etag, and resumable. */
import { AttuneError } from "../base/errors.ts";
import type { Host, HubCache } from "../types.ts";
import { hubError, mayPass } from "./errors.ts";
import type { HubClient } from "./request.ts";

/** Called as bytes arrive: `done` of `total`. */
export type HubProgress = (file: string, done: number, total: number) => void;

/** A download: the file, and the cache to store it in. */
export type Download = Readonly<{
  client: HubClient;
  host: Host;
  cache: HubCache;
  repo: string;
  commit: string;
  file: string;
  progress: HubProgress | undefined;
}>;

/** Number of attempts at a download; each continues after the bytes that have arrived. */
const ATTEMPTS = 3;

/**
 * Downloads a file into a cached snapshot, unless the snapshot already has it.
 *
 * @throws AttuneError if it cannot be downloaded, or differs in size or content from what the hub announced.
 */
export async function downloadFile(download: Download): Promise<void> {
  const { client, host, cache, repo, commit, file } = download;
  if (await cache.snapshot(repo, commit).get(file, { offset: 0, length: 0 })) return;
  const what = `${repo}/${file}`;
  // Large files answer with a redirect whose headers name the blob.
  const { headers } = await client.request(pathOf(download), what, { method: "HEAD" });
  const etag = (headers.get("x-linked-etag") ?? headers.get("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
  const size = Number(headers.get("x-linked-size") ?? headers.get("content-length") ?? NaN);
  if (!/^[\w-]{8,128}$/.test(etag) || !Number.isSafeInteger(size) || size < 0) {
    throw hubError("HUB_ANSWER", `The hub gave no etag and size for ${what}`, what);
  }
  const resumed = await cache.partial(repo, etag) > 0;
  for (let attempt = 1;; attempt++) {
    try {
      if (!await cache.has(repo, etag)) await fetchBlob(download, etag, size);
      return await cache.link(repo, etag, commit, file);
    } catch (error) {
      // A partial file of an earlier run may be broken, so retry; a complete download will not get better.
      const broken = resumed && attempt === 1 && error instanceof AttuneError && error.code === "BAD_FILE";
      if (attempt === ATTEMPTS || !(broken || mayPass(error))) throw error;
      await host.clock.sleep(1000 * attempt);
    }
  }
}

async function fetchBlob(download: Download, etag: string, size: number): Promise<void> {
  const { client, cache, repo, file, progress } = download;
  const what = `${repo}/${file}`;
  let from = await cache.partial(repo, etag);
  if (from > size) from = 0;
  if (from === size && size > 0) return;
  const response = await client.request(pathOf(download), what, { from });
  // A server that ignores the range sends the whole file again.
  const start = response.status === 206 ? from : 0;
  const range = response.headers.get("content-range");
  if (response.status === 206 && !range?.startsWith(`bytes ${from}-`)) {
    await response.body?.cancel();
    throw hubError("HUB_ANSWER", `The hub sent range ${range} of ${what} where bytes ${from}- were asked for`, what);
  }
  const countBytes = async function* (): AsyncIterable<Uint8Array> {
    let done = start;
    progress?.(file, done, size);
    for await (const part of client.body(response, what)) {
      done += part.length;
      if (done > size) {
        throw hubError("HUB_ANSWER", `${what} has more than the ${size} bytes that the hub announced`, what);
      }
      yield part;
      progress?.(file, done, size);
    }
  };
  const result = await cache.write(repo, etag, start, countBytes());
  if (result !== size) {
    throw hubError(
      "HUB_TRUNCATED",
      `${what}: ${result} of ${size} bytes arrived; run again to resume from there`,
      what,
    );
  }
}

function pathOf({ repo, commit, file }: Download): string {
  return `/${repo}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`;
}
