/**
 * Names of classes in a model's config.
 * @module
 */
import type { Json, Named } from "./types.ts";

/** Classes in order of their ids as `id2label` names them; undefined where it is not there, or not of distinct names from 0. */
export function classNames({ id2label }: Named<Json>): readonly string[] | undefined {
  if (typeof id2label !== "object" || id2label === null || Array.isArray(id2label)) return undefined;
  const entries = Object.entries(id2label as Named<Json>).sort(([a], [b]) => Number(a) - Number(b));
  const names = entries.map(([, name]) => String(name));
  const whole = entries.length > 0 && entries.every(([id], i) => id === String(i));
  return whole && new Set(names).size === names.length ? names : undefined;
}
