/**
 * Schemas of options with a role that others must know, and options that plugins of two kinds share.
 * @module
 */
import * as v from "valibot";
import { isPlugin } from "../../core/spec/define.ts";
import type { Kind, Kinds, Role, Secret } from "../../core/types.ts";

export * from "./masked_lm.ts";
export * from "./permutation_lm.ts";
export * from "./prompt.ts";

/**
 * Returns a schema that states the role of its option: a path is resolved from the spec's file, fetched by a runner and not
 * part of a run's identity; a secret is never saved; a plugin is composed.
 *
 * @example
 * ```ts
 * import { role } from "attune/kit";
 * import * as v from "valibot";
 * const schema = v.object({ vocabulary: role(v.string(), { role: "path" }) });
 * console.assert(v.parse(schema, { vocabulary: "./words.txt" }).vocabulary === "./words.txt");
 * ```
 */
export function role<S extends v.GenericSchema>(schema: S, role: Role): S {
  return v.pipe(schema, v.metadata(role)) as unknown as S;
}

/**
 * Returns the schema of an option whose value is a plugin of a kind, given by name or as `{ use, with }`. `what`: its
 * name in errors.
 */
export function pluginOption<K extends Kind>(kind: K, what: string): v.GenericSchema<Kinds[K]> {
  return role(v.custom<Kinds[K]>(isPlugin(kind), what), { role: "plugin", kind });
}

/** Returns the schema of a secret: a text, or the environment variable that has it, which `revealSecret` reads. */
export function secretOption(text: v.GenericSchema<string>): v.GenericSchema<Secret> {
  return role(v.union([text, v.strictObject({ env: v.pipe(v.string(), v.nonEmpty()) })]), { role: "secret" });
}
