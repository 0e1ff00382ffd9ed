/**
 * Roles: what options refer to, as declared in plugins' schemas, and changes of a spec's options by role. Code that
 * moves a spec to another place therefore needs to know no option by name.
 */
import { isObject } from "../base/json.ts";
import { spellOut } from "./plain_names.ts";
import { specParts } from "./spec_parts.ts";
import type { Catalog, Entry, Json, Kind, Named, Role } from "../types.ts";

/**
 * Returns the roles that a valibot schema declares (in its `metadata`), by the path of the option: `{ path: ...,
 * "tasks.*.data.train": ... }`, where `*` is every key or item.
 */
export function rolesOf(schema: unknown): Named<Role> {
  const roles: Record<string, Role> = {};
  const below = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);
  const walk = (node: unknown, path: string): void => {
    if (!isObject(node)) return;
    const { pipe, wrapped, entries, item, items, value, options } = node;
    if (Array.isArray(pipe)) {
      for (const { kind, type, metadata } of pipe.slice(1) as SchemaNode[]) {
        if (kind === "metadata" && type === "metadata" && isRole(metadata)) roles[path] = metadata;
      }
      walk(pipe[0], path);
      return;
    }
    walk(wrapped, path);
    if (isObject(entries)) { for (const [key, inner] of Object.entries(entries)) walk(inner, below(path, key)); }
    if (node.type === "record") walk(value, below(path, "*"));
    walk(item, below(path, "*"));
    if (Array.isArray(items)) items.forEach((inner, i) => walk(inner, below(path, String(i))));
    if (Array.isArray(options)) { for (const inner of options) walk(inner, path); }
  };
  walk(schema, "");
  // An option that takes one part or a list declares its role twice: for itself, which covers lists, and for the items
  // of a list. The second declaration is dropped, because it would take the keys of a single part for items.
  const isCovered = ([path, role]: [string, Role]): boolean =>
    path.endsWith(".*") && JSON.stringify(roles[path.slice(0, -2)]) === JSON.stringify(role);
  return Object.fromEntries(Object.entries(roles).filter((entry) => !isCovered(entry)));
}

type SchemaNode = Readonly<Record<string, unknown>>;

const isRole = (value: unknown): value is Role => isObject(value) && typeof value.role === "string";

/** Copies a value with the parts at a pattern ("tasks.*.task") replaced; undefined removes them. */
export function replaceAt(
  value: unknown,
  pattern: string,
  path: string,
  replace: (value: unknown, path: string) => unknown,
): unknown {
  const walk = (value: unknown, [head, ...rest]: readonly string[], path: string): unknown => {
    if (head === undefined) return replace(value, path);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      const picked = (i: number): boolean => head === "*" || head === String(i);
      return value.flatMap((item, i) => {
        const changed = picked(i) ? walk(item, rest, `${path}.${i}`) : item;
        return changed === undefined ? [] : [changed];
      });
    }
    const copy: Record<string, unknown> = { ...value };
    for (const key of head === "*" ? Object.keys(copy) : [head]) {
      if (!Object.hasOwn(copy, key) || copy[key] === undefined) continue;
      const changed = walk(copy[key], rest, `${path}.${key}`);
      if (changed === undefined) delete copy[key];
      else copy[key] = changed;
    }
    return copy;
  };
  return walk(value, pattern.split("."), path);
}

/** Returns the new value of an option; undefined removes the option. `at`: its path in the spec. */
export type RoleChange = (value: Json, role: Role, at: string) => Json | undefined;

/** A part of a spec: the plugin that it names, its kind, and its path. */
export type NamedPart = Readonly<{ kind: Kind; use: string; at: string }>;

/**
 * Copies a spec with its options changed by their roles, including those of plugins within plugins. Plain texts for
 * files or models are spelled out first; plugins that the catalog does not have stay as they are.
 */
export function mapRoles(
  spec: Named<Json>,
  catalog: Catalog,
  change: RoleChange,
  see: (part: NamedPart) => void = () => {},
): Named<Json> {
  const part = (kind: Kind, value: unknown, at: string): unknown => {
    if (Array.isArray(value)) return value.map((one, i) => part(kind, one, `${at}.${i}`));
    const reference = typeof value === "string" ? spellOut(kind, value) : value;
    if (!isObject(reference) || typeof reference.use !== "string") return value;
    see({ kind, use: reference.use, at });
    const roles = entryIn(catalog, kind, reference.use)?.roles ?? {};
    const { transforms } = reference;
    const more = kind === "data" && Array.isArray(transforms)
      ? { transforms: part("transform", transforms, `${at}.transforms`) }
      : {};
    if (!isObject(reference.with)) return typeof value === "string" ? value : { ...reference, ...more };
    let options: unknown = reference.with;
    for (const [pattern, role] of Object.entries(roles)) {
      options = replaceAt(
        options,
        pattern,
        `${at}.with`,
        (inner, place) => role.role === "plugin" ? part(role.kind, inner, place) : change(inner as Json, role, place),
      );
    }
    return { ...reference, with: options, ...more };
  };
  let mapped: unknown = spec;
  const order = Object.keys(spec);
  const placeOf = ([pattern]: readonly [string, unknown]): number => order.indexOf(pattern.split(".")[0] ?? "");
  // In the order of the spec, so that the first of several errors is the first in the text.
  for (const [pattern, { kind }] of Object.entries(specParts).sort((a, b) => placeOf(a) - placeOf(b))) {
    mapped = replaceAt(mapped, pattern, "", (value, at) => part(kind, value, at.slice(1)));
  }
  return mapped as Named<Json>;
}

/** Returns every part that a spec names, including those within others. */
export function partsIn(spec: Named<Json>, catalog: Catalog): readonly NamedPart[] {
  const parts: NamedPart[] = [];
  mapRoles(spec, catalog, (value) => value, (part) => parts.push(part));
  return parts;
}

/** Changes the text of an option, or each text in its list; other values stay as they are. */
export function changeTexts(value: Json, at: string, change: (text: string, at: string) => Json): Json {
  if (typeof value === "string") return change(value, at);
  return Array.isArray(value) ? value.map((one, i) => changeTexts(one, `${at}.${i}`, change)) : value;
}

/** Returns a catalog's entry of a name. */
export function entryIn<K extends Kind>(catalog: Catalog, kind: K, use: string): Entry<K> | undefined {
  const entries = (catalog[kind] ?? {}) as Named<Entry<K>>;
  return Object.hasOwn(entries, use) ? entries[use] : undefined;
}
