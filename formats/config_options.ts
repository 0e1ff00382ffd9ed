/** Conversion of an adapter's config fields to the options of a plugin. */
import { issuePath } from "../core/spec/define.ts";
import { badValue } from "../core/base/errors.ts";
import type { Json, Named, Result, Schema } from "../core/types.ts";

/** Converts an option's name to the spelling of Python's libraries. */
export function snakeCase(name: string): string {
  if (name === "deltaT") return name;
  return name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
}

/** Validates options against a plugin's schema. Throws AttuneError that names the file's field. */
export function parseOptions<O>(plugin: string, file: string, schema: Schema<unknown, O>, options: Named<Json>): O {
  const parsed = schema["~standard"].validate(options) as Result<O>;
  if (!parsed.issues) return parsed.value;
  const [issue] = parsed.issues;
  const path = issuePath(issue?.path);
  const value = path === "" ? options : path.split(".").reduce<unknown>(
    (inner, key) => (inner as Named<unknown> | undefined)?.[key],
    options,
  );
  throw badValue(plugin, `${file}: ${path}`, value, issue?.message ?? "what its options allow");
}
