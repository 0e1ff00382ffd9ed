/**
 * Datasets on the Hugging Face hub.
 * @module
 */
import { isObject } from "../../core/base/json.ts";
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { slicedRows, slicesIn } from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import { AttuneError, badFile, missing, unknownName, unsupported } from "../../core/base/errors.ts";
import { downloadFile } from "../../core/hub/download.ts";
import { hubError } from "../../core/hub/errors.ts";
import { hubName } from "../../core/hub/name.ts";
import { isCommit, isOffline, listFiles } from "../../core/hub/repository.ts";
import { hubClient } from "../../core/hub/request.ts";
import type { Factory, Host, HubCache, Named, Rows, Store } from "../../core/types.ts";
import { openHubFiles } from "./hub/files.ts";
import { type HubConfig, hubConfig, type HubRepository } from "./hub/layout.ts";

/** Options of {@link hub}. */
export interface HubOptions {
  /** `org/name`. */
  readonly path: string;
  /** The configuration; null: the default that its README names, "default", or the only one. */
  readonly name: string | null;
  /** A split, or parts in the notation of `datasets`: `train[:10%]`, `train+test`. */
  readonly split: string;
  /** A branch, tag or commit; null: the hub's Parquet conversion in `refs/convert/parquet`, or else `main`. */
  readonly revision: string | null;
  /** The columns to read; null: all. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<HubOptions> & { path: string };

/**
 * A split of a data set of the hub, downloaded into the cache that Python uses too: Parquet, CSV, JSON, text or Arrow
 * files, packed or not, by the `configs` of its README or by their names as `datasets` has it. Honours HF_ENDPOINT,
 * HF_TOKEN and HF_HUB_OFFLINE; earlier downloads are used without a network.
 *
 * @throws AttuneError from `open` if the hub has no such data set, configuration or split, and says what there is.
 * @example
 * ```ts
 * import { hub } from "attune/data/hub";
 * console.assert(hub({ path: "stanfordnlp/imdb", split: "test" }).name === "hub");
 * ```
 */
export const hub: Factory<"data", Input> = define({
  kind: "data",
  name: "hub",
  schema: v.strictObject({
    path: role(
      v.pipe(v.string(), v.check((path) => hubName(path) !== undefined && !path.includes("@"), "org/name")),
      { role: "address" },
    ),
    name: v.optional(v.nullable(v.string()), null),
    split: v.optional(v.string(), "train"),
    revision: v.optional(v.nullable(v.pipe(v.string(), v.regex(/^\w[\w./-]*$/, "a revision"))), null),
    columns: v.optional(v.nullable(v.pipe(v.array(v.string()), v.minLength(1))), null),
  }),
  create: (options: HubOptions) => ({
    open: async (host) => {
      const cache = host.hubCache;
      if (!cache) throw missing("hub", "a cache of the hub", host.runtime);
      const repo = `datasets/${options.path}`;
      const open = async (split: string): Promise<Rows> => {
        const { commit, config, files } = await splitAt(repo, { ...options, split }, host, cache);
        const store = cache.snapshot(repo, commit);
        const places = files.map((key) => ({
          name: `${options.path}/${key}`,
          store,
          key,
          path: `${repo}@${commit}/${key}`,
          cache: host.cache,
        }));
        return await openHubFiles(config, places, options.columns);
      };
      // The hub says which splits there are only when one is asked for.
      const names = slicesIn("hub", options.split).map(({ split }) => split);
      return await slicedRows("hub", options.split, { names, open });
    },
  }),
});

/** The branch with the hub's Parquet conversion. */
const CONVERTED = "refs/convert/parquet";

/** The files of a split, how to read them, and their commit. */
type Files = Readonly<{ commit: string; config: HubConfig; files: readonly string[] }>;

/** Returns the files of a split at the given revision; without one, the hub's conversion or else the author's files. */
async function splitAt(repo: string, options: HubOptions, host: Host, cache: HubCache): Promise<Files> {
  const { revision } = options;
  if (revision !== null) return await filesOf(repo, { ...options, revision }, host, cache);
  try {
    return await filesOf(repo, { ...options, revision: CONVERTED }, host, cache);
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
    const onMain = { ...options, revision: "main" };
    // There is no conversion, or only a partial one; that is reported only if the author's files cannot be read either.
    if (/^HUB_(404|OFFLINE|UNREACHABLE)$/.test(error.code)) return await filesOf(repo, onMain, host, cache);
    if (error.code !== "UNSUPPORTED") throw error;
    return await filesOf(repo, onMain, host, cache).catch(() => {
      throw error;
    });
  }
}

type AtRevision = HubOptions & Readonly<{ revision: string }>;

/** Returns the files of a split, downloaded as needed. */
async function filesOf(repo: string, options: AtRevision, host: Host, cache: HubCache): Promise<Files> {
  const { path, revision } = options;
  const cached = async (): Promise<Files | undefined> => {
    const commit = isCommit(revision) ? revision : await cache.ref(repo, revision);
    if (commit === undefined || !isCommit(commit)) return undefined;
    const keys: string[] = [];
    const store = cache.snapshot(repo, commit);
    for await (const { key } of store.list("")) keys.push(key);
    return keys.length > 0
      ? { commit, ...splitOf({ path, files: keys, card: await cardOf(path, store), isPart: true }, options) }
      : undefined;
  };
  if (isOffline(host)) {
    const snapshot = await cached();
    if (snapshot) return snapshot;
    throw hubError("HUB_OFFLINE", `${path} is not in the cache, and HF_HUB_OFFLINE is set`, path);
  }
  const client = await hubClient(host);
  try {
    const { commit, files: listed } = await listFiles(client, "datasets", path, revision);
    const download = async (file: string): Promise<void> =>
      await downloadFile({ client, host, cache, repo, commit, file, progress: undefined });
    const isConverted = revision === CONVERTED;
    if (!isConverted && listed.has(CARD)) await download(CARD);
    const card = isConverted ? {} : await cardOf(path, cache.snapshot(repo, commit));
    const split = splitOf({ path, files: [...listed], card }, options);
    for (const file of split.files) await download(file);
    if (!isCommit(revision)) await cache.setRef(repo, revision, commit);
    return { commit, ...split };
  } catch (error) {
    // Without a network, earlier downloads are used; errors of the hub itself remain errors.
    const away = error instanceof AttuneError && /^HUB_(UNREACHABLE|5\d\d)$/.test(error.code);
    const snapshot = away ? await cached() : undefined;
    if (snapshot) return snapshot;
    throw error;
  }
}

/** The file with a repository's metadata. */
const CARD = "README.md";

/** Reads the YAML header of a repository's README; empty if there is none. */
async function cardOf(path: string, store: Store): Promise<Named<unknown>> {
  const file = await store.get(CARD);
  const head = /^\uFEFF?---[ \t]*\r?\n([^]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(new TextDecoder().decode(file?.bytes))
    ?.[1];
  if (head === undefined) return {};
  const { parse } = await import("yaml");
  try {
    const value: unknown = parse(head);
    return isObject(value) ? value : {};
  } catch (cause) {
    throw badFile("hub", `${path}/${CARD}`, `its head is not YAML (${cause instanceof Error ? cause.message : cause})`);
  }
}

/** Returns a split's files in a repository, and how to read them. Throws AttuneError that lists what there is. */
function splitOf(repository: HubRepository, options: AtRevision): Omit<Files, "commit"> {
  const { path, split, name, revision } = options;
  const config = revision === CONVERTED ? convertedConfig(repository.files, options) : hubConfig(repository, name);
  const files = config.splits[split] ?? [];
  if (files.length > 0) return { config, files };
  if (config.splits[`partial-${split}`]) {
    throw unsupported("hub", `${path}: split`, split, "the hub has only part of it in Parquet");
  }
  throw unknownName("hub", `${path}: split`, "split", split, Object.keys(config.splits));
}

/** Returns the hub's conversion, `<name>/<split>/*.parquet`. Throws AttuneError that lists what there is. */
function convertedConfig(all: readonly string[], { path, name }: HubOptions): HubConfig {
  const known = all.flatMap((file) => {
    const [, config = "", part = ""] = /^([^/]+)\/([^/]+)\/[^/]+\.parquet$/.exec(file) ?? [];
    return config === "" ? [] : [{ file, config, part }];
  });
  const configs = [...new Set(known.map(({ config }) => config))];
  const config = name ?? (configs.length === 1 ? configs[0] : "default") ?? "";
  if (!configs.includes(config)) throw unknownName("hub", `${path}: name`, "configuration", config, configs);
  const splits: Record<string, string[]> = {};
  for (const { file, part } of known.filter((one) => one.config === config)) (splits[part] ??= []).push(file);
  for (const files of Object.values(splits)) files.sort();
  return { name: config, format: "parquet", splits, options: {}, classes: {} };
}
