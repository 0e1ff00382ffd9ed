/** Lists where options want names with values: valibot takes a list for an object whose names are numbers. */
import { isObject } from "../base/json.ts";

/** A schema of valibot's, as far as lists are looked for in it. */
type Shape = Readonly<{
  type?: unknown;
  entries?: Readonly<Record<string, unknown>>;
  wrapped?: unknown;
  options?: unknown;
  item?: unknown;
  value?: unknown;
}>;

/** Whether a schema is of texts or numbers, which no list can be taken for. */
const isPlain = (schema: unknown): boolean =>
  isObject(schema) && /^(string|number|boolean|literal|picklist|null|undefined)$/.test(String(schema.type));

/** The path of the first list in some options that a schema would take for an object; undefined if there is none. */
export function listForNames(schema: unknown, value: unknown): readonly string[] | undefined {
  if (!isObject(schema)) return undefined;
  const { type, entries = {}, wrapped, options, item, value: inner } = schema as Shape;
  if (wrapped !== undefined) return listForNames(wrapped, value);
  if (type === "union" && Array.isArray(options)) {
    const paths = options.filter((one) => !isPlain(one)).map((one) => listForNames(one, value));
    return paths.every((path) => path !== undefined) ? paths[0] : undefined;
  }
  if (Array.isArray(value)) {
    if (type === "record" || /object/.test(String(type))) return [];
    return first(value.map((one, i) => [String(i), item, one]));
  }
  if (!isObject(value)) return undefined;
  return first(Object.entries(value).map(([key, one]) => [key, type === "record" ? inner : entries[key], one]));
}

function first(parts: readonly (readonly [string, unknown, unknown])[]): readonly string[] | undefined {
  for (const [key, schema, value] of parts) {
    const path = listForNames(schema, value);
    if (path) return [key, ...path];
  }
  return undefined;
}
