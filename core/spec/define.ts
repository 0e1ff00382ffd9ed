/** `define`, which makes plugin factories: functions that people call directly and catalogs look up by name. */
import type { Entry, Factory, Kind, Kinds, Plugin, Result, Schema } from "../types.ts";
import { AttuneError, badValue, show } from "../base/errors.ts";
import { listForNames } from "./lists.ts";
import { rolesOf } from "./roles.ts";

type InputOf<S> = S extends Schema<infer In, unknown> ? In : never;
type OutputOf<S> = S extends Schema<unknown, infer Out> ? Out : never;

/**
 * Creates a factory of plugins, which carry `kind`, `name` and their parsed `options`.
 *
 * @throws AttuneError (the factory) if options do not pass the schema.
 * @example
 * ```ts
 * import { define } from "attune";
 * import * as v from "valibot";
 * const half = define({ kind: "schedule", name: "half", schema: v.object({}), create: () => ({ factor: () => 0.5 }) });
 * console.assert(half().factor(0, 10, 1) === 0.5);
 * ```
 */
export function define<
  K extends Kind,
  S extends Schema<unknown, object>,
  const Made extends Omit<Kinds[K], keyof Plugin>,
  In = InputOf<S>,
>(
  plugin: Readonly<{
    kind: K;
    name: string;
    // The schema must accept the factory's declared options (by default, those of the schema).
    schema: S & Schema<NoInfer<In>, object>;
    create: (options: OutputOf<S>) => Made;
  }>,
): Factory<K, In> {
  const { kind, name, schema, create } = plugin;
  const roles = rolesOf(schema);
  const parse = (input: unknown): Result<Kinds[K]> => {
    const list = listForNames(schema, input);
    if (list) return { issues: [{ message: "names with values, not a list", path: list }] };
    const parsed = schema["~standard"].validate(input ?? {});
    if (parsed instanceof Promise) {
      throw new AttuneError("Schemas must be synchronous", { code: "BAD_SCHEMA", plugin: name });
    }
    const result = parsed as Result<OutputOf<S>>;
    if (result.issues) return result;
    // The one cast of the plugin system: these fields and the methods of `create` make up the kind's interface.
    return { value: { kind, name, options: result.value, roles, ...create(result.value) } as unknown as Kinds[K] };
  };
  const factory = (input?: In): Kinds[K] => {
    const result = parse(input);
    if (!result.issues) return result.value;
    const issue = result.issues[0];
    const path = issuePath(issue?.path) || "options";
    throw badValue(name, path, input, issue?.message ?? "valid options");
  };
  const entry: Entry<K> = { kind, use: name, schema, roles, parse };
  return Object.assign(factory, entry) as unknown as Factory<K, In>;
}

/** Whether a value is a plugin of a kind, for options that are plugins: `v.custom<Collator>(isPlugin("collator"))`. */
export function isPlugin<K extends Kind>(kind: K): (value: unknown) => value is Kinds[K] {
  return (value): value is Kinds[K] =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === kind && "name" in value;
}

/** Formats a Standard Schema path as `a.b.0`. */
export function issuePath(path: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined): string {
  return (path ?? []).map((p) => String(typeof p === "object" ? p.key : p)).join(".");
}

/** Returns the name of a reference or plugin, for messages. */
export function nameOf(part: unknown): string {
  if (typeof part === "string") return part;
  if (typeof part === "object" && part !== null) {
    if ("use" in part) return String(part.use);
    if ("name" in part) return String(part.name);
  }
  return show(part);
}
