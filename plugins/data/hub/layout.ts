/**
 * Finds the files with a dataset's rows in a repository of the hub: by the `configs` of its README, else by their
 * names, as Hugging Face's `datasets` does.
 */
import { isObject } from "../../../core/base/json.ts";
import { matchesPattern, splitsOf } from "../../../blocks/data/mod.ts";
import { badFile, badValue, unknownName, unsupported } from "../../../core/base/errors.ts";
import type { Named } from "../../../core/types.ts";

/** A file's format. */
export type HubFormat = "parquet" | "csv" | "json" | "text" | "arrow";

/** A configuration: its files by split, all of one format, and the README's options for reading them. */
export type HubConfig = Readonly<{
  name: string;
  format: HubFormat;
  splits: Named<readonly string[]>;
  options: Named<unknown>;
  /** Class names by column. */
  classes: Named<readonly string[]>;
}>;

/**
 * A repository: its name in messages, its files, and the YAML header of its README. `isPart`: the files are only those
 * downloaded before.
 */
export type HubRepository = Readonly<{
  path: string;
  files: readonly string[];
  card: Named<unknown>;
  isPart?: boolean;
}>;

const formats: Named<readonly string[]> = {
  parquet: [".parquet"],
  csv: [".csv", ".tsv"],
  json: [".jsonl", ".json", ".ndjson"],
  text: [".txt", ".text"],
  arrow: [".arrow"],
};

/** Files with metadata, which `datasets` ignores, and those that it saves next to Arrow files. */
const DESCRIPTIONS = new Set([
  "README.md",
  "config.json",
  "dataset_info.json",
  "dataset_infos.json",
  "dummy_data.zip",
  "dataset_dict.json",
  "state.json",
]);

/** Options of a configuration that do not affect reading. */
const PLAIN: ReadonlySet<string> = new Set([
  "config_name",
  "data_files",
  "data_dir",
  "default",
  "drop_labels",
  "version",
  "description",
  "features",
]);

/** Options of a configuration that affect reading, by format. */
const READING: Named<readonly string[]> = {
  parquet: ["columns"],
  csv: ["sep", "delimiter", "names", "column_names", "header", "encoding", "quoting"],
  json: ["field", "encoding"],
  text: ["sample_by", "encoding", "keep_linebreaks"],
  arrow: [],
};

/**
 * Returns a configuration; `name` null: the default of the README, "default", or the only one. Throws AttuneError, with
 * what there is, if there is no such configuration or it has no readable files.
 */
export function hubConfig(repository: HubRepository, name: string | null): HubConfig {
  const { path, card } = repository;
  const entries = entriesIn(path, card);
  const names = entries.map(nameOf);
  const marked = entries.find((entry) => entry.default === true);
  const chosen = name ?? (marked ? nameOf(marked) : names.length === 1 ? names[0] ?? "" : "default");
  const entry = entries.find((one) => nameOf(one) === chosen);
  if (!entry) throw unknownName("hub", `${path}: name`, "configuration", chosen, names);
  const splits = filesOf(repository, entry);
  const format = formatOf(path, Object.values(splits).flat(), repository.files);
  const own = Object.entries(splits).flatMap(([split, files]) => {
    const readable = files.filter((file) => isOf(format, file)).sort();
    return readable.length > 0 ? [[split, readable] as const] : [];
  });
  const options = Object.fromEntries(Object.entries(entry).filter(([key]) => !PLAIN.has(key)));
  const strange = Object.keys(options).find((key) => !READING[format]?.includes(key));
  if (strange !== undefined) {
    throw unsupported(
      "hub",
      `${path}: configs.${chosen}.${strange}`,
      options[strange],
      `${format} files cannot be read this way`,
    );
  }
  return { name: chosen, format, splits: Object.fromEntries(own), options, classes: classesOf(card, chosen) };
}

type Entry = Named<unknown>;

/** Returns the configurations in a README; if it names none, one without name and files. */
function entriesIn(path: string, card: Named<unknown>): readonly Entry[] {
  const { configs } = card;
  if (configs === undefined || configs === null) return [{}];
  if (Array.isArray(configs) && configs.length > 0 && configs.every(isObject)) return configs;
  throw badValue("hub", `${path}/README.md: configs`, configs, "a list of configurations");
}

function nameOf(entry: Entry): string {
  return typeof entry.config_name === "string" ? entry.config_name : "default";
}

/** Returns the files of each split, by the configuration's patterns or else by their names in its folder. */
function filesOf({ path, files, isPart = false }: HubRepository, entry: Entry): Named<readonly string[]> {
  const folder = typeof entry.data_dir === "string" ? entry.data_dir.replace(/^\.?\/+|\/+$/g, "") : "";
  const inside = files.filter((file) => folder === "" || file.startsWith(`${folder}/`));
  const visible = inside.filter((file) => {
    const parts = file.slice(folder.length).split("/");
    return !parts.some((part) => /^\.|^__/.test(part)) && !DESCRIPTIONS.has(parts.at(-1) ?? "");
  });
  if (entry.data_files === undefined || entry.data_files === null) return splitsOf(visible, folder);
  const patterns = patternsIn(`${path}/README.md: configs.${nameOf(entry)}.data_files`, entry.data_files);
  return Object.fromEntries(
    Object.entries(patterns).map(([split, own]) => {
      const found = own.flatMap((pattern) => {
        const whole = (folder === "" ? pattern : `${folder}/${pattern}`).replace(/^\.?\/+/, "");
        const named = inside.includes(whole) ? [whole] : visible.filter((file) => matchesPattern(whole, file));
        if (named.length === 0 && !isPart) {
          throw badFile("hub", `${path}/${whole}`, `no file has this name; there are ${some(files)}`);
        }
        return named;
      });
      return [split, [...new Set(found)]];
    }),
  );
}

/** Parses `data_files`: a pattern, several, or a list of `{ split, path }`. */
function patternsIn(where: string, value: unknown): Named<readonly string[]> {
  const texts = (one: unknown): readonly string[] | undefined =>
    typeof one === "string"
      ? [one]
      : Array.isArray(one) && one.length > 0 && one.every((text) => typeof text === "string")
      ? one
      : undefined;
  const all = texts(value);
  const splits: [string, readonly string[] | undefined][] = all
    ? [["train", all]]
    : Array.isArray(value)
    ? value.map((one: unknown) => (isObject(one) ? [String(one.split), texts(one.path)] : ["", undefined]))
    : isObject(value)
    ? Object.entries(value).map(([split, one]) => [split, texts(one)])
    : [["", undefined]];
  return Object.fromEntries(splits.map(([split, patterns]) => {
    const away = patterns?.find((pattern) => /^\w+:\/\//.test(pattern) || pattern.split("/").includes(".."));
    if (!patterns || away !== undefined) {
      throw badValue("hub", where, away ?? value, "files of the repository, or a list of { split, path }");
    }
    return [split, patterns];
  }));
}

/** Returns the format of most files; if several are equally frequent, Parquet. */
function formatOf(path: string, chosen: readonly string[], all: readonly string[]): HubFormat {
  const counts = Object.keys(formats).map((format) => {
    const known = format as HubFormat;
    return { format: known, count: chosen.filter((file) => isOf(known, file)).length };
  });
  const [first] = counts.sort((a, b) => b.count - a.count);
  if (first && first.count > 0) return first.format;
  throw badFile(
    "hub",
    path,
    `has no file with rows (${Object.values(formats).flat().join(", ")}, also with .gz or .zst); there are ${
      some(all)
    }`,
  );
}

function isOf(format: HubFormat, file: string): boolean {
  const plain = file.toLowerCase().replace(/\.(gz|zst)$/, "");
  return formats[format]?.some((ending) => plain.endsWith(ending)) === true;
}

/** Lists file names for a message. */
function some(files: readonly string[]): string {
  const [most, rest] = [files.slice(0, 8), files.length - 8];
  return files.length === 0 ? "none at all" : `${most.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** Returns the class names of a configuration from the README's `dataset_info`. */
function classesOf({ dataset_info: info }: Named<unknown>, config: string): Named<readonly string[]> {
  const infos = (Array.isArray(info) ? info : [info]).filter(isObject);
  const described = infos.find((one) => one.config_name === config) ?? (infos.length === 1 ? infos[0] : undefined);
  const features = Array.isArray(described?.features) ? described.features.filter(isObject) : [];
  return Object.fromEntries(features.flatMap(({ name, dtype, list, sequence }) => {
    const type = [dtype, list, sequence].find((one) => isObject(one) && isObject(one.class_label)) as Entry | undefined;
    const names = isObject(type?.class_label) ? type.class_label.names : undefined;
    const texts = Array.isArray(names) ? names : isObject(names) ? Object.values(names) : [];
    return typeof name === "string" && texts.length > 0 ? [[name, texts.map(String)]] : [];
  }));
}
