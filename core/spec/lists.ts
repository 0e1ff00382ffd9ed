/** Detection of lists where options expect an object: valibot accepts a list as an object with numbers as keys. */
import { isObject } from "../base/json.ts";

/** The parts of a valibot schema that are searched for objects. */
type Shape = Readonly<{
  type?: unknown;
  entries?: Readonly<Record<string, unknown>>;
  wrapped?: unknown;
  options?: unknown;
  item?: unknown;
  value?: unknown;
}>;

/** Whether a schema is one of texts or numbers, which never accepts a list. */
const isPlain = (schema: unknown): boolean =>
  isObject(schema) && /^(string|number|boolean|literal|picklist|null|undefined)$/.test(String(schema.type));

/** Returns the path of the first list in options that a schema would accept as an object; undefined if none. */
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
