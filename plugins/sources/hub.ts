/**
 * The Hugging Face hub: a repository's files, downloaded into the cache that Python uses too.
 *
 * Honours HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE; where the cache lies is the host's matter.
 * @module
 */
import { AttuneError, missing } from "../../core/errors.ts";
import type { Host, HubCache, Store } from "../../core/types.ts";

/** Files that a run may need; weights are chosen apart. */
const wanted: ReadonlySet<string> = new Set([
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
]);

/** The snapshot of `org/name[@revision]` as a store. Throws AttuneError where it cannot be had. */
export async function openHub(path: string, host: Host): Promise<Store> {
  const cache = host.hubCache;
  if (!cache) throw missing("hub", "a cache of the hub", host.runtime);
  const [repo = "", revision = "main"] = path.split("@");
  const offline = /^(1|true|yes|on)$/i.test(host.env.HF_HUB_OFFLINE ?? "");
  const known = /^[0-9a-f]{40}$/.test(revision) ? revision : await cache.ref(repo, revision);
  if (offline) {
    if (known !== undefined && await complete(cache, repo, known)) return cache.snapshot(repo, known);
    throw hubError("HUB_OFFLINE", `${path} is not in the cache, and HF_HUB_OFFLINE is set`, path);
  }
  const listed = await list(repo, revision, host).catch((error) => {
    // Without a network, what was downloaded before serves.
    if (error instanceof AttuneError) throw error;
    return undefined;
  });
  if (!listed) {
    if (known !== undefined && await complete(cache, repo, known)) return cache.snapshot(repo, known);
    throw hubError("HUB_UNREACHABLE", `${endpoint(host)} cannot be reached, and ${path} is not in the cache`, path);
  }
  for (const file of chosen(listed.files, path)) await fetchFile(repo, listed.commit, file, host, cache);
  if (revision !== listed.commit) await cache.setRef(repo, revision, listed.commit);
  return cache.snapshot(repo, listed.commit);
}

/** The files of a repository that are downloaded: one set of safetensors, never other formats of the same weights. */
function chosen(files: readonly string[], path: string): string[] {
  const own = files.filter((f) => wanted.has(f));
  if (files.includes("model.safetensors")) return [...own, "model.safetensors"];
  const shards = files.filter((f) => /^model-\d+-of-\d+\.safetensors$/.test(f));
  if (shards.length > 0 && files.includes("model.safetensors.index.json")) {
    return [...own, "model.safetensors.index.json", ...shards];
  }
  throw missing("hub", "model.safetensors", `${path}, which holds ${files.slice(0, 20).join(", ")},`);
}

async function list(repo: string, revision: string, host: Host): Promise<{ commit: string; files: string[] }> {
  const response = await request(`/api/models/${repo}/revision/${encodeURIComponent(revision)}`, host);
  checkStatus(response, `${repo}@${revision}`);
  const { sha, siblings }: { sha?: unknown; siblings?: readonly { rfilename?: unknown }[] } = await response.json();
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) {
    throw hubError("HUB_ANSWER", `The hub gave no commit for ${repo}@${revision}`, repo);
  }
  return {
    commit: sha,
    files: (siblings ?? []).flatMap((s) => (typeof s.rfilename === "string" ? [s.rfilename] : [])),
  };
}

async function fetchFile(repo: string, commit: string, file: string, host: Host, cache: HubCache): Promise<void> {
  const store = cache.snapshot(repo, commit);
  if (await store.get(file, { offset: 0, length: 0 })) return;
  const path = `/${repo}/resolve/${commit}/${file}`;
  // Large files answer with a redirect whose headers name the blob.
  const head = await request(path, host, { method: "HEAD", redirect: "manual" });
  if (head.status >= 400) checkStatus(head, `${repo}/${file}`);
  const etag = (head.headers.get("x-linked-etag") ?? head.headers.get("etag") ?? "").replace(/^W\//, "").replaceAll(
    '"',
    "",
  );
  const size = Number(head.headers.get("x-linked-size") ?? head.headers.get("content-length") ?? NaN);
  if (!/^[\w-]{8,}$/.test(etag)) throw hubError("HUB_ANSWER", `The hub gave no etag for ${repo}/${file}`, file);
  if (!await cache.has(repo, etag)) {
    let from = await cache.partial(repo, etag);
    if (from > size) from = 0;
    if (from !== size || from === 0) {
      const response = await request(path, host, from > 0 ? { headers: { range: `bytes=${from}-` } } : {});
      checkStatus(response, `${repo}/${file}`);
      // A server that ignores the range sends the whole file again.
      const start = response.status === 206 ? from : 0;
      const body = response.body ?? new ReadableStream<Uint8Array>({ start: (c) => c.close() });
      const written = await cache.write(repo, etag, start, body as unknown as AsyncIterable<Uint8Array>);
      if (Number.isFinite(size) && written !== size) {
        throw hubError(
          "HUB_TRUNCATED",
          `${repo}/${file}: ${written} of ${size} bytes arrived; run again to go on from there`,
          file,
        );
      }
    }
  }
  await cache.link(repo, etag, commit, file);
}

async function request(path: string, host: Host, init: RequestInit = {}): Promise<Response> {
  const token = host.env.HF_TOKEN;
  const headers = { "user-agent": "attune", ...(token ? { authorization: `Bearer ${token}` } : {}), ...init.headers };
  return await host.fetch(endpoint(host) + path, { ...init, headers });
}

function endpoint(host: Host): string {
  return (host.env.HF_ENDPOINT ?? "https://huggingface.co").replace(/\/$/, "");
}

function checkStatus(response: Response, what: string): void {
  if (response.ok) return;
  const code = response.headers.get("x-error-code");
  const why = response.status === 401 || response.status === 403
    ? `is gated or private: set HF_TOKEN to a token that may read it`
    : response.status === 404
    ? "does not exist"
    : "could not be had";
  throw hubError(
    `HUB_${response.status}`,
    `${what} ${why} (status ${response.status}${code ? `, ${code}` : ""})`,
    what,
  );
}

async function complete(cache: HubCache, repo: string, commit: string): Promise<boolean> {
  const store = cache.snapshot(repo, commit);
  const there = async (file: string): Promise<boolean> => await store.get(file, { offset: 0, length: 0 }) !== undefined;
  return await there("config.json") &&
    (await there("model.safetensors") || await there("model.safetensors.index.json"));
}

function hubError(code: string, message: string, found: string): AttuneError {
  return new AttuneError(message, { code, plugin: "hub", found });
}
