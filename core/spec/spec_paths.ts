/** Values of a run spec by their path: `adapter.with.r`, `optimizer.use`, `metrics.0`. */
import { spellOut } from "./plain_names.ts";
import { specParts } from "./spec_parts.ts";
import type { Json, Named } from "../types.ts";

/**
 * A copy of a spec with another value at a path. What stands there as a name is spelled out as `{ use, with }`, what is left
 * out begins as its default, and a list of one thing is that thing.
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

/** What stands at a path of a spec; undefined if there is nothing. */
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

/** What stands at a place as a list, where a path counts in it and there may be several: one alone is the first. */
function listOf(value: Json | undefined, key: string, at: string): Json | undefined {
  const counts = /^\d+$/.test(key) && specParts[at]?.several;
  return counts && !Array.isArray(value) ? [value ?? []].flat() : value;
}

/** A part of a spec as a map from key to value. */
function mapAt(value: Json | undefined, at: string): Named<Json> {
  const { kind, fallback } = specParts[at] ?? {};
  const effective = value ?? fallback;
  if (typeof effective === "string") return kind === undefined ? { use: effective } : spellOut(kind, effective);
  return typeof effective === "object" && effective !== null && !Array.isArray(effective)
    ? effective as Named<Json>
    : {};
}
