/** The files that a path in a spec refers to: one, several, a pattern, or a folder with its splits. */
import { badFile, badValue, missing, tooMuch } from "../../core/base/errors.ts";
import type { Host, Rows } from "../../core/types.ts";
import { concatenatedRows } from "./compose.ts";
import { slicedRows } from "./splits.ts";

/** Which files to open. `endings`: the format's file extensions; `.gz` and `.zst` may follow. */
export type FileOptions = Readonly<{
  plugin: string;
  path: string | readonly string[];
  /** A slice in the notation of `datasets`; null: "train", or the only split. */
  split: string | null;
  endings: readonly string[];
}>;

/** Limits of the number of files for one path, and of the depth of folders. */
const [MAX_FILES, MAX_DEPTH] = [100_000, 32];

/** Opens the rows of the files of a path, in the order of their names. Throws AttuneError if there are none. */
export async function openFiles(
  options: FileOptions,
  host: Host,
  open: (path: string) => Promise<Rows>,
): Promise<Rows> {
  const { plugin, path, split } = options;
  const splits = filesOf(options, host);
  const names = Object.keys(splits);
  const rowsOf = async (paths: readonly string[] = []): Promise<Rows> => {
    const parts: Rows[] = [];
    for (const one of paths) parts.push(await open(one));
    return await concatenatedRows(parts);
  };
  if (names.length === 0) throw badFile(plugin, String(path), `has no file that ends in ${options.endings.join(", ")}`);
  const chosen = split ?? (names.length === 1 ? names[0] : "train") ?? "train";
  return await slicedRows(plugin, chosen, { names, open: (name) => rowsOf(splits[name]) });
}

/** Returns the files of each split. Only folders have splits: files given by name or pattern are all "train". */
function filesOf({ plugin, path, endings }: FileOptions, host: Host): Readonly<Record<string, readonly string[]>> {
  const list = typeof path === "string" ? [path] : path;
  const [only] = list;
  if (only !== undefined && list.length === 1 && isFolder(only, host)) {
    return splitsOf(filesBelow(plugin, only, endings, host), only);
  }
  return { train: list.flatMap((one) => filesAt(plugin, one, endings, host)) };
}

/** Returns the paths of the files that one path of a list refers to. */
function filesAt(plugin: string, path: string, endings: readonly string[], host: Host): readonly string[] {
  if (isFolder(path, host)) return filesBelow(plugin, path, endings, host);
  if (!/[*?[{]/.test(path) || isThere(path, host)) return [path];
  if (!host.names) throw missing(plugin, "access to folders", host.runtime);
  const parts = path.split(/[\\/]/);
  const plain = parts.findIndex((part) => /[*?[{]/.test(part));
  const files: string[] = [];
  // A pattern that begins with a wildcard is relative to the working directory.
  const folder = plain === 0 ? "." : parts.slice(0, plain).join("/");
  matching(folder, parts.slice(plain), { plugin, host, files, walked: new Set() });
  if (files.length === 0) throw badFile(plugin, path, "no file has this name");
  return files;
}

/** State of a search. `walked`: folders already visited for `**`, since links may lead to a folder again. */
type Walk = Readonly<{ plugin: string; host: Host; files: string[]; walked: Set<string> }>;

/** Adds the files below a folder that match the parts of a pattern. */
function matching(folder: string, [part = "", ...rest]: readonly string[], walk: Walk, depth = 0): void {
  const { plugin, host, files, walked } = walk;
  if (part === "**") {
    const place = `${rest.join("/")}:${host.realPath?.(resolved(folder, host)) ?? folder}`;
    if (walked.has(place)) return;
    walked.add(place);
    matching(folder, rest, walk, depth);
    for (const name of depth < MAX_DEPTH ? visible(folder, host) : []) {
      const path = below(folder, name);
      if (isFolder(path, host)) matching(path, ["**", ...rest], walk, depth + 1);
    }
    return;
  }
  const wanted = expressionOf(part);
  for (const name of visible(folder, host)) {
    if (!wanted.test(name)) continue;
    const path = below(folder, name);
    if (rest.length > 0) matching(path, rest, walk, depth + 1);
    else if (!isFolder(path, host)) {
      if (files.push(path) > MAX_FILES) throw tooMuch(plugin, path, "files", files.length, MAX_FILES);
    }
  }
}

/** Returns the files of a format in a folder and its subfolders. */
function filesBelow(plugin: string, folder: string, endings: readonly string[], host: Host): readonly string[] {
  const files: string[] = [];
  matching(folder.replace(/[\\/]+$/, ""), ["**", "*"], { plugin, host, files, walked: new Set() });
  return files.filter((path) => hasEnding(path, endings));
}

/** Whether a file name has one of a format's extensions, compressed or not. */
export function hasEnding(path: string, endings: readonly string[]): boolean {
  const plain = path.toLowerCase().replace(/\.(gz|zst)$/, "");
  return endings.some((ending) => plain.endsWith(ending));
}

/** Returns the names in a folder that `datasets` reads: none that begin with "." or "__". */
function visible(folder: string, host: Host): readonly string[] {
  return (host.names?.(resolved(folder === "" ? "/" : folder, host)) ?? [])
    .filter((name) => !/^\.|^__/.test(name)).sort();
}

function isFolder(path: string, host: Host): boolean {
  return host.names?.(resolved(path, host)) !== undefined;
}

function isThere(path: string, host: Host): boolean {
  const [, folder = "", name = ""] = /^(.*?)[\\/]*([^\\/]*)$/.exec(path) ?? [];
  return host.names?.(resolved(folder === "" ? "." : folder, host))?.includes(name) === true;
}

function resolved(path: string, host: Host): string {
  return host.resolve?.(path) ?? path;
}

function below(folder: string, name: string): string {
  return folder === "" ? `/${name}` : folder === "." ? name : `${folder}/${name}`;
}

/** Whether a pattern matches a path below a folder: `*` within a name, `**` for any number of folders. */
export function matchesPattern(pattern: string, path: string): boolean {
  const matches = ([part, ...rest]: readonly string[], names: readonly string[]): boolean => {
    if (part === undefined) return names.length === 0;
    if (part !== "**") {
      return names[0] !== undefined && expressionOf(part).test(names[0]) && matches(rest, names.slice(1));
    }
    // A final `**` matches the files of all folders.
    return rest.length === 0 ? names.length > 0 : names.some((_, from) => matches(rest, names.slice(from)));
  };
  return matches(pattern.split("/"), path.split("/"));
}

/** Compiles a part of a pattern to an expression for one name: `*`, `?`, `[a-c]`, `[!a]`, `{a,b}`. */
function expressionOf(part: string): RegExp {
  const text = part.replace(/\*+/g, "*").replace(/\[!?[^\]]+\]|\{[^{}]*\}|[*?]|[^*?[{]+|[[{]/g, (piece) => {
    if (piece === "*") return "[^]*";
    if (piece === "?") return "[^]";
    if (/^\[.+\]$/.test(piece)) return piece.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    if (piece.startsWith("{") && piece.endsWith("}")) {
      return `(?:${piece.slice(1, -1).split(",").map(quoted).join("|")})`;
    }
    return quoted(piece);
  });
  try {
    return new RegExp(`^${text}$`);
  } catch {
    // The range ends before it begins.
    throw badValue("data", "path", part, "a pattern of *, ?, [a-z] and {a,b}");
  }
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** The words for each split in names of files and folders, in `datasets`' order. */
const words: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "dev", "val"],
  test: ["test", "testing", "eval", "evaluation"],
};

/**
 * Returns the files of each split, by `datasets`' rules: names like `data/<split>-00000-of-00001.*`, or else words for
 * train, validation and test in names of files or folders; without any, all files are "train".
 */
export function splitsOf(paths: readonly string[], root: string): Readonly<Record<string, readonly string[]>> {
  const inside = (path: string): string => path.slice(root.length).replaceAll("\\", "/").replace(/^\/*/, "/");
  const grouped = (nameOf: (path: string) => string | undefined): Record<string, string[]> => {
    const splits: Record<string, string[]> = {};
    for (const path of paths) {
      const name = nameOf(inside(path));
      if (name !== undefined) (splits[name] ??= []).push(path);
    }
    return splits;
  };
  const shards = grouped((path) => /^\/data\/(\w+(?:\.\w+)*)-\d{5}-of-\d+.*\./.exec(path)?.[1]);
  if (Object.keys(shards).length > 0) return shards;
  const named = grouped((path) => {
    const parts = new Set(path.toLowerCase().split(/[ ._\-0-9/]+/));
    return Object.keys(words).find((split) => words[split]?.some((word) => parts.has(word)));
  });
  if (Object.keys(named).length > 0) return named;
  return paths.length > 0 ? { train: paths } : {};
}
