/** Resolution of a part of a run spec to a plugin, by the catalog's entry of its name. */
import { isPlugin, issuePath } from "./define.ts";
import { AttuneError, badValue, show, unknownName } from "../base/errors.ts";
import { withNamedErrors } from "./named_errors.ts";
import { spellOut } from "./plain_names.ts";
import { entryIn, replaceAt } from "./roles.ts";
import { refuseTrainOnly } from "./run_data.ts";
import { namedTransform, transformRows } from "./transformed.ts";
import type { Catalog, Dataset, Kind, Kinds, Transform } from "../types.ts";

/** The catalog that names are looked up in, and the list that errors are added to. */
export type Resolver = Readonly<{ catalog: Catalog; issues: AttuneError[] }>;

/**
 * Resolves a part of a spec, which is a plugin, a name, or `{ use, with }`. Returns undefined if it is invalid, with
 * the errors added to the resolver's issues.
 */
export function resolvePart<K extends Kind>(
  kind: K,
  part: unknown,
  path: string,
  resolver: Resolver,
): Kinds[K] | undefined {
  const { catalog, issues } = resolver;
  if (isPlugin(kind)(part)) return checkedPart(part, path, resolver);
  const reference = typeof part === "string" ? spellOut(kind, part) : part;
  if (
    typeof reference !== "object" || reference === null || !("use" in reference) || typeof reference.use !== "string"
  ) {
    issues.push(badValue("spec", path, part, `a ${kind}: a name, or { "use": name, "with": options }`));
    return undefined;
  }
  for (const key of Object.keys(reference)) {
    const allowed = kind === "data" ? ["use", "with", "transforms"] : ["use", "with"];
    if (!allowed.includes(key)) issues.push(unknownName("spec", `${path}.${key}`, "key", key, allowed));
  }
  const entry = entryIn(catalog, kind, reference.use);
  if (!entry) {
    issues.push(unknownName("spec", path, kind, reference.use, Object.keys(catalog[kind] ?? {})));
    return undefined;
  }
  let options: unknown = "with" in reference ? reference.with : {};
  for (const [pattern, role] of Object.entries(entry.roles)) {
    if (role.role !== "plugin") continue;
    const { kind: partKind } = role;
    options = replaceAt(
      options,
      pattern,
      `${path}.with`,
      (inner, at) =>
        Array.isArray(inner)
          ? inner.map((one, i) => resolvePart(partKind, one, `${at}.${i}`, resolver) ?? one)
          : resolvePart(partKind, inner, at, resolver) ?? inner,
    );
  }
  const transforms = kind === "data" && "transforms" in reference
    ? resolveTransforms(reference.transforms, path, resolver)
    : [];
  const result = entry.parse(options);
  if (!result.issues) {
    const plugin = withNamedErrors(result.value);
    if (kind !== "data") return kind === "transform" ? namedTransform(plugin as Transform) as Kinds[K] : plugin;
    return checkedPart(transformRows(plugin as Dataset, transforms) as Kinds[K], path, resolver);
  }
  for (const issue of result.issues.flatMap(withinUnion)) {
    const at = issuePath(issue.path);
    const where = `${path}.with${at ? `.${at}` : ""}`;
    const keys = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part));
    const value = valueAt(options, keys);
    const allowed = optionNames(entry.schema, keys.slice(0, -1));
    // For an unknown key, a strict schema only says that it expected none.
    if (allowed && value === undefined && issue.message.startsWith("Invalid key: Expected")) {
      const details = { code: "MISSING", plugin: "spec", path: where, allowed };
      issues.push(new AttuneError(`${where} is required by "${entry.use}"`, details));
    } else if (allowed && issue.message.includes("Expected never")) {
      issues.push(unknownName("spec", where, "option", keys.at(-1) ?? "", allowed));
    } else {
      const details = { code: "BAD_OPTION", plugin: "spec", path: where, found: value };
      const expected = /Expected (.*) but received/.exec(issue.message)?.[1];
      const problem = expected ? `expected ${expected} but` : `${issue.message},`;
      issues.push(new AttuneError(`${where}: ${problem} found ${show(value)}`, details));
    }
  }
  return undefined;
}

/** Checks a resolved plugin at its place in the spec; errors of its transforms are added to the issues. */
function checkedPart<K extends Kind>(plugin: Kinds[K], path: string, { issues }: Resolver): Kinds[K] {
  if (plugin.kind !== "data") return withNamedErrors(plugin);
  const { transforms = [] } = (plugin as Dataset).transformed ?? {};
  issues.push(...refuseTrainOnly(transforms, path));
  return withNamedErrors(plugin);
}

function resolveTransforms(uses: unknown, path: string, resolver: Resolver): readonly Transform[] {
  if (Array.isArray(uses)) {
    return uses.flatMap((one, i) => resolvePart("transform", one, `${path}.transforms.${i}`, resolver) ?? []);
  }
  resolver.issues.push(badValue("spec", `${path}.transforms`, uses, "a list of transforms"));
  return [];
}

/** An issue of a schema: the common Standard Schema fields, and valibot's own for unions. */
type Issue = Readonly<
  { message: string; path?: Parameters<typeof issuePath>[0]; type?: string; issues?: readonly Issue[] }
>;

/** Replaces the issue of a union by issues within the value, if there are any, such as an object's wrong key. */
function withinUnion(issue: Issue): readonly Issue[] {
  if (issue.type !== "union") return [issue];
  const inside = (issue.issues ?? []).filter(({ path }) => path && path.length > 0);
  if (inside.length === 0) return [issue];
  return inside.flatMap((one) => withinUnion({ ...one, path: [...issue.path ?? [], ...one.path ?? []] }));
}

/** The parts of a valibot schema that are searched for option names. */
type Shape = Readonly<{
  entries?: Readonly<Record<string, Shape>>;
  wrapped?: Shape;
  options?: readonly Shape[];
  item?: Shape;
  value?: Shape;
}>;

/** Returns the option names at a path, if a plugin's schema has an object there. */
function optionNames(schema: unknown, keys: readonly string[]): string[] | undefined {
  const plain = (shape: Shape | undefined): Shape | undefined => {
    if (shape?.wrapped) return plain(shape.wrapped);
    if (!Array.isArray(shape?.options)) return shape;
    const forms = shape.options.flatMap((one) => plain(one)?.entries ?? []);
    return forms.length > 0 ? { entries: Object.assign({}, ...forms) } : undefined;
  };
  let at = plain(schema as Shape);
  for (const key of keys) at = plain(at?.entries?.[key] ?? at?.item ?? at?.value);
  return at?.entries && Object.keys(at.entries);
}

function valueAt(options: unknown, keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (value, key) => typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined,
    options,
  );
}
