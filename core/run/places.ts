/**
 * What in a run spec says where something lies: paths, made absolute so that the spec means the same from everywhere.
 * @module
 */
import type { Json, Named } from "../types.ts";

/** Options of plugins that hold a path, or a list of them. */
const placing: ReadonlySet<string> = new Set(["path", "from", "tokenizer", "cache"]);

/** Plugins whose paths may be names: of what comes with Attune, or on the hub. */
const named: ReadonlySet<string> = new Set(["pretrained", "random"]);

/** Plugins whose `path` is a name on the hub alone. */
const hubs: ReadonlySet<string> = new Set(["hub"]);

/** Parts whose paths are names within the output. */
const within: ReadonlySet<string> = new Set(["loggers"]);

/** Whether an option holds a path or several. */
export function isPlace(key: string, value: Json): boolean {
  const isText = (one: Json): boolean => typeof one === "string";
  return placing.has(key) && (isText(value) || (Array.isArray(value) && value.every(isText)));
}

/** Whether a path may be a name of what comes with Attune, or of the hub. */
function mayBeName(path: string): boolean {
  return /^(attune:)?[\w-][\w.-]*(\/[\w.-]+)?(@[\w./-]+)?$/.test(path);
}

/** A spec with its paths as `place` gives them; `name`: the path may be a name, and is one where nothing lies there. */
export function placedPaths(spec: Named<Json>, place: (path: string, name: boolean) => string): Named<Json> {
  // Only the options of a plugin are looked at, whose name tells what its path may be.
  const part = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(part);
    if (typeof value !== "object" || value === null) return value;
    const { use } = value as Named<Json>;
    return mapValues(value as Named<Json>, (own, key) => {
      const options = key === "with" && typeof own === "object" && own !== null && !Array.isArray(own);
      return options ? mapValues(own as Named<Json>, (v, k) => option(v, k, String(use))) : part(own);
    });
  };
  const option = (value: Json, key: string, use: string): Json => {
    if (key === "rows") return value;
    if (!isPlace(key, value) || hubs.has(use)) return part(value);
    const one = (path: string): string => place(path, named.has(use) && mayBeName(path));
    return Array.isArray(value) ? value.map((path) => one(String(path))) : one(String(value));
  };
  return mapValues(spec, (value, key) => (within.has(key) ? value : part(value)));
}

function mapValues(object: Named<Json>, change: (value: Json, key: string) => Json): Named<Json> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}
