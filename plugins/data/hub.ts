/**
 * Data sets of the Hugging Face hub.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { slicedRows, slicesIn } from "../../blocks/data/mod.ts";
import { define } from "../../core/define.ts";
import { AttuneError, missing, unknownName, unsupported } from "../../core/errors.ts";
import { downloadFile } from "../../core/hub/download.ts";
import { hubError } from "../../core/hub/errors.ts";
import { hubName } from "../../core/hub/name.ts";
import { isCommit, isOffline, listFiles } from "../../core/hub/repository.ts";
import { hubClient } from "../../core/hub/request.ts";
import type { Factory, Host, HubCache, Rows } from "../../core/types.ts";
import { openParquets } from "./parquet_file.ts";

/** Options of {@link hub}. */
export interface HubOptions {
  /** `org/name`. */
  readonly path: string;
  /** Which of its configurations; null: the only one, or "default". */
  readonly name: string | null;
  /** A split, or parts as `datasets` writes them: `train[:10%]`, `train+test`. */
  readonly split: string;
  /** Branch, tag or commit; the hub makes Parquet of every data set in `refs/convert/parquet`. */
  readonly revision: string;
  /** The columns that are read; null: all. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<HubOptions> & { path: string };

/** Schema of {@link HubOptions}. */
export const hubSchema: v.GenericSchema<Input, HubOptions> = v.strictObject({
  path: role(
    v.pipe(v.string(), v.check((path) => hubName(path) !== undefined && !path.includes("@"), "org/name")),
    { role: "address" },
  ),
  name: v.optional(v.nullable(v.string()), null),
  split: v.optional(v.string(), "train"),
  revision: v.optional(v.pipe(v.string(), v.regex(/^\w[\w./-]*$/, "a revision")), "refs/convert/parquet"),
  columns: v.optional(v.nullable(v.pipe(v.array(v.string()), v.minLength(1))), null),
});

/**
 * A split of a data set as the hub has it in Parquet (`<name>/<split>/0000.parquet`), downloaded into the cache that
 * Python uses too. Honours HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE; what was downloaded serves without a network.
 *
 * @throws AttuneError from `open` where the hub has no such data set, configuration or split, or only a part of it.
 * @example
 * ```ts
 * import { hub } from "attune/data/hub";
 * console.assert(hub({ path: "stanfordnlp/imdb", split: "test" }).name === "hub");
 * ```
 */
export const hub: Factory<"data", Input> = define({
  kind: "data",
  name: "hub",
  schema: hubSchema,
  create: (options) => ({
    open: async (host) => {
      const cache = host.hubCache;
      if (!cache) throw missing("hub", "a cache of the hub", host.runtime);
      const repo = `datasets/${options.path}`;
      const open = async (split: string): Promise<Rows> => {
        const { commit, files } = await filesOf(repo, { ...options, split }, host, cache);
        const store = cache.snapshot(repo, commit);
        return await openParquets(
          files.map((key) => ({ name: `${options.path}/${key}`, store, key })),
          options.columns,
        );
      };
      // Which splits there are, the hub says where one is asked for.
      const names = slicesIn("hub", options.split).map(({ split }) => split);
      return await slicedRows("hub", options.split, { names, open });
    },
  }),
});

type Files = Readonly<{ commit: string; files: readonly string[] }>;

/** The files of a split, downloaded where they must be. */
async function filesOf(repo: string, options: HubOptions, host: Host, cache: HubCache): Promise<Files> {
  const { path, revision } = options;
  const cached = async (): Promise<Files | undefined> => {
    const commit = isCommit(revision) ? revision : await cache.ref(repo, revision);
    if (commit === undefined || !isCommit(commit)) return undefined;
    const keys: string[] = [];
    for await (const { key } of cache.snapshot(repo, commit).list("")) keys.push(key);
    return keys.length > 0 ? { commit, files: splitOf(keys, options) } : undefined;
  };
  if (isOffline(host)) {
    const snapshot = await cached();
    if (snapshot) return snapshot;
    throw hubError("HUB_OFFLINE", `${path} is not in the cache, and HF_HUB_OFFLINE is set`, path);
  }
  const client = await hubClient(host);
  try {
    const { commit, files: all } = await listFiles(client, "datasets", path, revision);
    const files = splitOf([...all], options);
    for (const file of files) await downloadFile({ client, host, cache, repo, commit, file, progress: undefined });
    if (!isCommit(revision)) await cache.setRef(repo, revision, commit);
    return { commit, files };
  } catch (error) {
    // Without a network, what was downloaded before serves; what the hub refuses stays refused.
    const away = error instanceof AttuneError && /^HUB_(UNREACHABLE|5\d\d)$/.test(error.code);
    const snapshot = away ? await cached() : undefined;
    if (snapshot) return snapshot;
    throw error;
  }
}

/** The files `<name>/<split>/*.parquet` of a listing. Throws AttuneError that says what there is. */
function splitOf(all: readonly string[], { path, name, split }: HubOptions): string[] {
  const known = all.flatMap((file) => {
    const [, config = "", part = ""] = /^([^/]+)\/([^/]+)\/[^/]+\.parquet$/.exec(file) ?? [];
    return config === "" ? [] : [{ file, config, part }];
  });
  const configs = [...new Set(known.map(({ config }) => config))];
  const config = name ?? (configs.length === 1 ? configs[0] : "default") ?? "";
  if (!configs.includes(config)) throw unknownName("hub", `${path}: name`, "configuration", config, configs);
  const parts = known.filter((k) => k.config === config);
  const files = parts.filter(({ part }) => part === split).map(({ file }) => file).sort();
  if (files.length > 0) return files;
  if (parts.some(({ part }) => part === `partial-${split}`)) {
    throw unsupported("hub", `${path}: split`, split, "the hub has only a part of it in Parquet");
  }
  throw unknownName("hub", `${path}: split`, "split", split, [...new Set(parts.map(({ part }) => part))]);
}
