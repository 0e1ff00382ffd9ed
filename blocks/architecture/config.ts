/** Reading Hugging Face's config.json: typed fields with defaults, and errors that name the field. */
import { badValue, unsupported } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import type { Json, Named } from "../../core/types.ts";

/** Reader of one config. A field that is absent or null has the family's default, or else the caller's fallback. */
export interface ConfigReader {
  /** A whole number from 1 (or `least`) to 10 million; numbers of layers are limited by {@link most}. */
  count(name: string, fallback?: number, least?: number): number;
  /** A finite number. */
  number(name: string, fallback?: number): number;
  /** A probability of dropping, 0 (included) to 1 (excluded). */
  rate(name: string, fallback?: number): number;
  text(name: string, fallback?: string): string;
  flag(name: string, fallback: boolean): boolean;
  /** A token id; undefined if it is null or negative (the first converted Llama checkpoints say -1). */
  id(name: string): number | undefined;
  /** An id as a row of a table of `rows` rows, like torch's `padding_idx`: negative ids count from the end. */
  row(name: string, rows: number): number | undefined;
  /** The field's value, which may be null; the family's default if the field is absent. */
  value(name: string): Json | undefined;
  /** Throws if a field has a value that is not among `allowed`. */
  only(name: string, ...allowed: readonly (Json | undefined)[]): void;
}

/**
 * Returns a reader of a config whose errors name the plugin. Its methods throw AttuneError. `defaults`: the family's
 * defaults; `fields`: the family's names of the fields that it names differently.
 */
export function readConfig(
  plugin: string,
  config: Named<Json>,
  { defaults = {}, fields = {} }: Readonly<{ defaults?: Named<Json>; fields?: Named<string> }> = {},
): ConfigReader {
  const fieldOf = (name: string): string => fields[name] ?? name;
  const at = (name: string): string => `config.${fieldOf(name)}`;
  const stated = (name: string): Json | undefined => {
    const field = fieldOf(name);
    return Object.hasOwn(config, field) ? config[field] : undefined;
  };
  const valueOf = (name: string): Json | undefined => stated(name) ?? defaults[name];
  const value = (name: string): Json | undefined => {
    const there = stated(name);
    return there === undefined ? defaults[name] : there;
  };
  const number = (name: string, fallback?: number): number => {
    const value = valueOf(name) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) throw badValue(plugin, at(name), value, "a number");
    return value;
  };
  const idOf = (name: string): number | undefined => {
    const id = value(name);
    if (id === undefined || id === null) return undefined;
    if (typeof id !== "number" || !Number.isSafeInteger(id)) throw badValue(plugin, at(name), id, "a token id");
    return id;
  };
  return {
    number,
    value,
    count: (name, fallback, least = 1) => {
      const value = number(name, fallback);
      const largest = /(^|_)layers?$/.test(name) ? most.layers : 1e7;
      if (!Number.isSafeInteger(value) || value < least || value > largest) {
        throw badValue(plugin, at(name), value, `a whole number from ${least} to ${largest}`);
      }
      return value;
    },
    rate: (name, fallback = 0) => {
      const value = number(name, fallback);
      if (value < 0 || value >= 1) throw badValue(plugin, at(name), value, "a number from 0 to below 1");
      return value;
    },
    text: (name, fallback) => {
      const value = valueOf(name) ?? fallback;
      if (typeof value !== "string") throw badValue(plugin, at(name), value, "a string");
      return value;
    },
    flag: (name, fallback) => {
      const value = valueOf(name) ?? fallback;
      if (typeof value !== "boolean") throw badValue(plugin, at(name), value, "true or false");
      return value;
    },
    id: (name) => {
      const value = idOf(name);
      return value !== undefined && value < 0 ? undefined : value;
    },
    row: (name, rows) => {
      const value = idOf(name);
      return value !== undefined && value < 0 ? (value + rows >= 0 ? value + rows : undefined) : value;
    },
    only: (name, ...allowed) => {
      const value = valueOf(name);
      if (value === undefined || value === null || allowed.includes(value)) return;
      throw unsupported(plugin, at(name), value, `only ${allowed.map((a) => JSON.stringify(a)).join(", ")} is`);
    },
  };
}
