/**
 * Parts that a spec leaves to its task: named as the task brings them, so that single options of them can be set.
 * @module
 */
import { isPlugin } from "./define.ts";
import { resolvePart } from "./resolve_part.ts";
import { specParts } from "./spec_parts.ts";
import { reference } from "./to_spec.ts";
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

/** A spec with the part named that a path leads into, where the spec leaves that to its task. */
export function withBroughtPart(spec: Named<Json>, path: string, catalog: Catalog): Named<Json> {
  if (!leadsIntoBrought(spec, path)) return spec;
  const [key = ""] = path.split(".");
  const task = resolvePart("task", spec.task, "task", { catalog, issues: [] });
  const [only, ...others] = task?.subtasks ?? [];
  const parts = only && others.length === 0 && only.name === "" ? brought[key]?.(only)?.map(referenceOf) : undefined;
  const named = specParts[key]?.several ? parts : parts?.[0];
  return named === undefined ? spec : { ...spec, [key]: named };
}

function referenceOf(part: unknown): Json {
  const kinds = ["loss", "metric", "head", "collator"] as const;
  return kinds.some((kind) => isPlugin(kind)(part)) ? reference(part as Plugin) : part as Json;
}
