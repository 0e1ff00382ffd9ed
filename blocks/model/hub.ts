/**
 * The Hugging Face hub: a repository's files, downloaded into the cache that Python uses, too.
 *
 * Honours HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT; the host determines the cache's folder.
 */
import { AttuneError, missing, show } from "../../core/base/errors.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { adviceOn, fileNamesIn, missingWeights } from "../../core/files/other_weights.ts";
import { shardIndex } from "../../core/files/weight_shards.ts";
import type { Host, HubCache, Store } from "../../core/types.ts";
import { downloadFile, type HubProgress } from "../../core/hub/download.ts";
import { vocabularyFiles } from "../../formats/hf/carried_files.ts";
import { hubError } from "../../core/hub/errors.ts";
import { hubName } from "../../core/hub/name.ts";
import { isCommit, isOffline, listFiles, type RepositoryListing } from "../../core/hub/repository.ts";
import { hubClient } from "../../core/hub/request.ts";

/** Files that a run may need besides weights. config.json is last: if it is present, so are all others. */
const neededFiles: readonly string[] = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
  "additional_chat_templates/tool_use.jinja",
  "config.json",
];

const INDEX = "model.safetensors.index.json";

/** What to download from a repository. */
export type HubOptions = Readonly<{
  /** Whether to download weights; otherwise only config and tokenizer. */
  weights: boolean;
  /** A single file to download: a GGUF file contains the whole model. */
  file?: string;
  progress?: HubProgress;
}>;

/**
 * Opens the snapshot of a repository as a store: from the cache if there is no network or the revision is a commit,
 * else downloaded where it changed.
 *
 * @throws AttuneError (`HUB_OFFLINE`, `HUB_UNREACHABLE`, `HUB_401`, `HUB_403`, `HUB_404`, ...) if that fails.
 */
export async function openHub(path: string, host: Host, options: HubOptions): Promise<Store> {
  const cache = host.hubCache;
  if (!cache) throw missing("hub", "a cache of the hub", host.runtime);
  const name = hubName(path);
  if (!name) throw hubError("HUB_NAME", `${show(path)} is not org/name or org/name@revision`, path);
  const { repo, revision } = name;
  const pinned = isCommit(revision);
  const known = pinned ? revision : await cache.ref(repo, revision);
  const cached = async (): Promise<Store | undefined> =>
    known !== undefined && isCommit(known) ? await complete(cache, repo, known, options) : undefined;
  if (isOffline(host)) {
    const copy = await cached();
    if (copy) return copy;
    const names = known === undefined || !isCommit(known) ? [] : await fileNamesIn(cache.snapshot(repo, known));
    // Python may have downloaded another format.
    if (options.weights && adviceOn(names) !== "") throw missingWeights("model.safetensors", path, names);
    throw hubError("HUB_OFFLINE", `${path} is not in the cache, and HF_HUB_OFFLINE is set`, path);
  }
  if (pinned) {
    const copy = await cached();
    const needed = options.file ?? "tokenizer.json";
    if (copy && await copy.get(needed, { offset: 0, length: 0 })) return copy;
  }
  const client = await hubClient(host);
  let listed: RepositoryListing;
  try {
    listed = await listFiles(client, "models", repo, revision);
  } catch (error) {
    // Without a network, earlier downloads are used; errors of the hub itself remain errors.
    const away = error instanceof AttuneError && /^HUB_(UNREACHABLE|5\d\d)$/.test(error.code);
    const copy = away ? await cached() : undefined;
    if (copy) return copy;
    throw error;
  }
  const { commit, files } = listed;
  const store = cache.snapshot(repo, commit);
  const fetchAll = async (names: Iterable<string>): Promise<void> => {
    for (const file of names) {
      await downloadFile({ client, host, cache, repo, commit, file, progress: options.progress });
    }
  };
  const gguf = options.weights ? ggufOf(files, path, options.file) : undefined;
  // Vocabulary files are as large as tokenizer.json, and redundant next to it.
  const all = files.has("tokenizer.json") ? neededFiles : [...vocabularyFiles, ...neededFiles];
  if (gguf === undefined) await fetchAll(all.filter((file) => files.has(file)));
  if (gguf !== undefined) await fetchAll([gguf]);
  else if (options.weights && files.has("model.safetensors")) await fetchAll(["model.safetensors"]);
  else if (options.weights) {
    await fetchAll([INDEX]);
    await fetchAll(new Set((await shardIndex(store))?.values()));
  }
  if (!pinned) await cache.setRef(repo, revision, commit);
  return store;
}

/** Returns the GGUF file to use: the named one, or the only one if there are no other weights. */
function ggufOf(files: ReadonlySet<string>, path: string, file: string | undefined): string | undefined {
  const where = `${path}, which holds ${[...files].slice(0, 20).join(", ")},`;
  if (file !== undefined) {
    if (!files.has(file)) throw missing("hub", file, where);
    return file;
  }
  if (files.has("model.safetensors") || files.has(INDEX)) return undefined;
  const ggufs = [...files].filter((name) => /^[^/]+\.gguf$/i.test(name));
  if (ggufs.length === 1) return ggufs[0];
  if (ggufs.length === 0) throw missingWeights("model.safetensors", path, [...files]);
  throw missing("hub", `which of ${ggufs.length} GGUF files is meant (${path}/${ggufs[0]})`, where);
}

/** Returns a cached snapshot if it has everything that is needed. */
async function complete(
  cache: HubCache,
  repo: string,
  commit: string,
  { weights, file }: HubOptions,
): Promise<Store | undefined> {
  const store = cache.snapshot(repo, commit);
  const there = async (file: string): Promise<boolean> => await store.get(file, { offset: 0, length: 0 }) !== undefined;
  if (file !== undefined) return await there(file) ? store : undefined;
  if (weights && await ggufIn(store) !== undefined) return store;
  if (!await there("config.json")) return undefined;
  if (!weights || await there("model.safetensors")) return store;
  const index = await shardIndex(store);
  if (!index) return undefined;
  for (const shard of new Set(index.values())) if (!await there(shard)) return undefined;
  return store;
}
