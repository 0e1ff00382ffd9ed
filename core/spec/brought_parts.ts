/** Parts that a spec leaves to its task: named as the task brings them, so that single options of them can be set. */
import { nameOf } from "./define.ts";
import { resolvePart } from "./resolve_part.ts";
import { specParts } from "./spec_parts.ts";
import type { Catalog, Json, Named, Plugin, Subtask } from "../types.ts";

type PartOf = (task: Subtask) => readonly unknown[] | undefined;

/**
 * What a task brings, by the spec's key. A head and a collator know the classes, so that they cannot be named before these
 * are read from rows.
 */
const brought: Named<PartOf> = {
  loss: ({ losses }) => losses.map(({ loss }) => loss),
  metrics: ({ metrics }) => metrics,
  head: ({ heads, labelsIn }) => (labelsIn ? undefined : heads),
  collator: ({ collator, labelsIn }) => (labelsIn ? undefined : [collator]),
};

/** Whether a path leads into a part that a spec leaves to its task. */
export function leadsIntoBrought(spec: Named<Json>, path: string): boolean {
  const [key = "", ...below] = path.split(".");
  return Object.hasOwn(brought, key) && below.length > 1 && (spec[key] ?? null) === null;
}

/** Names the part that a path leads into, where a spec leaves that to its task. */
export type PartNamer = (spec: Named<Json>, path: string) => Named<Json>;

/** Names parts by the tasks of a catalog. */
export function partNamer(catalog: Catalog): PartNamer {
  return (spec, path) => (leadsIntoBrought(spec, path) ? withBroughtPart(spec, path, catalog) : spec);
}

function withBroughtPart(spec: Named<Json>, path: string, catalog: Catalog): Named<Json> {
  const [key = ""] = path.split(".");
  const task = resolvePart("task", spec.task, "task", { catalog, issues: [] });
  const [only, ...others] = task?.subtasks ?? [];
  const parts = only && others.length === 0 && only.name === "" ? brought[key]?.(only)?.map(referenceOf) : undefined;
  const value = specParts[key]?.several ? parts : parts?.[0];
  return value === undefined ? spec : { ...spec, [key]: value };
}

/** What stands for a plugin is its name and options, as for one that is named. */
function referenceOf(part: unknown): Json {
  const plugin = part as Partial<Plugin>;
  return plugin.kind === undefined ? part as Json : { use: nameOf(part), with: plugin.options as Json };
}
