/**
 * Arrow files, and folders saved by `datasets`.
 * @module
 */
import * as v from "valibot";
import {
  classesIn,
  concatenatedRows,
  type FilesOptions,
  filesOptions,
  openFiles,
  placeOf,
  slicedRows,
} from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badFile, badValue } from "../../core/base/errors.ts";
import type { Factory, Host, Rows } from "../../core/types.ts";
import { openArrow } from "./arrow/file.ts";

type Input = Partial<FilesOptions> & Pick<FilesOptions, "path">;

/**
 * Rows of Arrow files (`.arrow`, `.feather`), packed with LZ4 or Zstandard or not, and of folders that `Dataset.save_to_disk` and
 * `DatasetDict.save_to_disk` of `datasets` write, shard by shard. Class names are kept.
 *
 * @throws AttuneError from `open` if a file does not exist or is damaged.
 * @example
 * ```ts
 * import { arrow } from "attune/data/arrow";
 * console.assert(arrow({ path: "./saved", split: "train[:10%]" }).name === "arrow");
 * ```
 */
export const arrow: Factory<"data", Input> = define({
  kind: "data",
  name: "arrow",
  schema: v.strictObject(filesOptions),
  create: ({ path, split }: FilesOptions) => ({
    open: async (host) => {
      const saved = typeof path === "string" ? await openSaved(path, split, host) : undefined;
      return saved ?? await openFiles(
        { plugin: "arrow", path, split, endings: [".arrow", ".feather", ".ipc"] },
        host,
        (file) => openArrow(placeOf("arrow", file, host)),
      );
    },
  }),
});

/** Opens a folder saved by `datasets`; undefined if it is not one. */
async function openSaved(path: string, split: string | null, host: Host): Promise<Rows | undefined> {
  const folder = path.replace(/[\\/]+$/, "");
  const splits = await described(`${folder}/dataset_dict.json`, host);
  if (splits) {
    const names = textsOf(splits.splits);
    if (!names || names.length === 0 || names.some((name) => !/^\w+(\.\w+)*$/.test(name))) {
      throw badFile("arrow", `${folder}/dataset_dict.json`, 'has no list of "splits"');
    }
    const chosen = split ?? (names.length === 1 ? names[0] ?? "" : "train");
    return await slicedRows("arrow", chosen, {
      names,
      open: async (name) => await openShards(`${folder}/${name}`, host) ?? refuse(`${folder}/${name}/state.json`),
    });
  }
  const rows = await openShards(folder, host);
  return rows && await slicedRows("arrow", split ?? "train", { names: ["train"], open: async () => rows });
}

function refuse(file: string): never {
  throw badFile("arrow", file, "does not exist");
}

/** Opens the shards of a saved dataset in order; undefined if the folder is not one. */
async function openShards(folder: string, host: Host): Promise<Rows | undefined> {
  const state = await described(`${folder}/state.json`, host);
  if (!state) return undefined;
  const files = Array.isArray(state._data_files) ? state._data_files : [];
  const names = textsOf(files.map((file: Readonly<{ filename?: unknown }> | null) => file?.filename));
  if (!names) throw badFile("arrow", `${folder}/state.json`, 'has no list of "_data_files"');
  const parts: Rows[] = [];
  for (const name of names) {
    if (!/^[\w.-]+$/.test(name)) throw badValue("arrow", `${folder}/state.json`, name, "a file of this folder");
    parts.push(await openArrow(placeOf("arrow", `${folder}/${name}`, host)));
  }
  const rows = await concatenatedRows(parts);
  const info = await described(`${folder}/dataset_info.json`, host);
  return rows.classes || !info ? rows : { ...rows, ...classesIn(JSON.stringify(info)) };
}

function textsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
}

/** The largest size of a description in JSON, in bytes. */
const MAX_BYTES = 16 * 2 ** 20;

/** Reads a JSON object; undefined if there is no such file. */
async function described(path: string, host: Host): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { store, key } = placeOf("arrow", path, host);
  const file = await store.get(key, { offset: 0, length: MAX_BYTES });
  if (!file) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.bytes));
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Reported below.
  }
  throw badFile("arrow", path, "is not a JSON object");
}
