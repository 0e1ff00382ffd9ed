/** Access to the values of a run spec by path: `adapter.with.r`, `optimizer.use`, `metrics.0`. */
import { spellOut } from "./plain_names.ts";
import { specParts } from "./spec_parts.ts";
import type { Json, Named } from "../types.ts";

/**
 * Returns a copy of a spec with another value at a path. On the way, a plain name is spelled out as `{ use, with }`, an
 * absent part starts as its default, and a part and a list of only that part are addressed alike.
 */
export function setAt(spec: Named<Json>, path: string, value: Json): Named<Json> {
  const put = (there: Json | undefined, keys: readonly string[], at: string): Json => {
    const [key, ...rest] = keys;
    if (key === undefined) return value;
    const below = at === "" ? key : `${at}.${key}`;
    const target = listOf(there, key, at);
    if (Array.isArray(target)) {
      if (/^\d+$/.test(key)) return target.map((item, i) => (i === Number(key) ? put(item, rest, below) : item));
      if (target.length === 1) return [put(target[0], keys, at)];
    }
    const map = mapAt(target, at);
    return { ...map, [key]: put(map[key], rest, below) };
  };
  return put(spec, path.split("."), "") as Named<Json>;
}

/** Returns the value at a path of a spec; undefined if there is none. */
export function valueAt(spec: Named<Json>, path: string): Json | undefined {
  let value: Json | undefined = spec;
  let at = "";
  for (const key of path.split(".")) {
    value = listOf(value, key, at);
    if (Array.isArray(value) && !/^\d+$/.test(key) && value.length === 1) value = value[0];
    value = Array.isArray(value) ? value[Number(key)] : mapAt(value, at)[key];
    at = at === "" ? key : `${at}.${key}`;
  }
  return value;
}

/** Returns a value as a list if the path has an index there and several parts are allowed: a single part is item 0. */
function listOf(value: Json | undefined, key: string, at: string): Json | undefined {
  const counts = /^\d+$/.test(key) && specParts[at]?.several;
  return counts && !Array.isArray(value) ? [value ?? []].flat() : value;
}

/** Returns a part of a spec as a map from key to value. */
function mapAt(value: Json | undefined, at: string): Named<Json> {
  const { kind, fallback } = specParts[at] ?? {};
  const effective = value ?? fallback;
  if (typeof effective === "string") return kind === undefined ? { use: effective } : spellOut(kind, effective);
  return typeof effective === "object" && effective !== null && !Array.isArray(effective)
    ? effective as Named<Json>
    : {};
}
