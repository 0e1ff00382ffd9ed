/** Default parts of a task: written into a spec by name, so that single options of them can be set. */
import { nameOf } from "./define.ts";
import { resolvePart } from "./resolve_part.ts";
import { specParts } from "./spec_parts.ts";
import type { Catalog, Json, Named, Plugin, Subtask } from "../types.ts";

type PartOf = (task: Subtask) => readonly unknown[] | undefined;

/**
 * A task's default parts, by the spec's key. Heads and collators are not among them: they depend on the classes, which
 * may have to be read from rows first.
 */
const brought: Named<PartOf> = {
  loss: ({ losses }) => losses.map(({ loss }) => loss),
  metrics: ({ metrics }) => metrics,
  head: ({ heads, labelsIn }) => (labelsIn ? undefined : heads),
  collator: ({ collator, labelsIn }) => (labelsIn ? undefined : [collator]),
};

/** Whether a path leads into a part that the spec leaves to the task's default. */
export function leadsIntoDefault(spec: Named<Json>, path: string): boolean {
  const [key = "", ...below] = path.split(".");
  return Object.hasOwn(brought, key) && below.length > 1 && (spec[key] ?? null) === null;
}

/** Writes the task's default part that a path leads into into the spec, unless the spec has that part. */
export type PartNamer = (spec: Named<Json>, path: string) => Named<Json>;

/** Creates a part namer with a catalog's tasks. */
export function partNamer(catalog: Catalog): PartNamer {
  return (spec, path) => (leadsIntoDefault(spec, path) ? withBroughtPart(spec, path, catalog) : spec);
}

function withBroughtPart(spec: Named<Json>, path: string, catalog: Catalog): Named<Json> {
  const [key = ""] = path.split(".");
  const task = resolvePart("task", spec.task, "task", { catalog, issues: [] });
  const [only, ...others] = task?.subtasks ?? [];
  const parts = only && others.length === 0 && only.name === "" ? brought[key]?.(only)?.map(referenceOf) : undefined;
  const value = specParts[key]?.several ? parts : parts?.[0];
  return value === undefined ? spec : { ...spec, [key]: value };
}

/** Returns a part as a reference: its name and options. */
function referenceOf(part: unknown): Json {
  const plugin = part as Partial<Plugin>;
  return plugin.kind === undefined ? part as Json : { use: nameOf(part), with: plugin.options as Json };
}
