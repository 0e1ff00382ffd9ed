/** Class names in a model's config. */
import type { Json, Named, TaskContext } from "../types.ts";

/**
 * Returns the class names of a config's `id2label` in the order of their ids; undefined if it is absent, or does not
 * map 0, 1, ... to distinct names.
 */
export function classNames({ id2label }: Named<Json>): readonly string[] | undefined {
  if (typeof id2label !== "object" || id2label === null || Array.isArray(id2label)) return undefined;
  const entries = Object.entries(id2label as Named<Json>).sort(([a], [b]) => Number(a) - Number(b));
  const names = entries.map(([, name]) => String(name));
  const isComplete = entries.length > 0 && entries.every(([id], i) => id === String(i));
  return isComplete && new Set(names).size === names.length ? names : undefined;
}

/** Returns the placeholder names that transformers gives to unnamed classes: "LABEL_0" and so on. */
export function unnamedClasses(size: number): readonly string[] {
  return Array.from({ length: size }, (_, i) => `LABEL_${i}`);
}

/**
 * The classes of a task in the outputs of a trained head. `order`: the output for each class, if the orders differ.
 */
export type HeadClasses = Readonly<{ names: readonly string[]; order?: readonly number[]; note?: string }>;

/**
 * Matches a task's classes with the outputs of a checkpoint's trained head by name, whatever the task's order. If names
 * differ, the task is another one, which continues from the head as it is; `note` says so.
 */
export function headClasses(labels: readonly string[], head: string, { config, trained }: TaskContext): HeadClasses {
  const known = trained(head) ? classNames(config) : undefined;
  const nameless = (list: readonly string[]): boolean =>
    list.every((name, i) => name === unnamedClasses(list.length)[i]);
  if (!known || nameless(known) || nameless(labels)) return { names: labels };
  const key = (name: string): string => name.toLowerCase();
  const order = labels.map((name) => known.findIndex((other) => key(other) === key(name)));
  if (known.length === labels.length && new Set(order).size === labels.length && !order.includes(-1)) {
    const names = order.map((_, place) => labels[order.indexOf(place)] ?? "");
    return order.every((place, i) => place === i) ? { names } : { names, order };
  }
  const note =
    `The head of the checkpoint was trained for other classes, ${listed(known)} (id2label in config.json): it ` +
    `starts from them as ${listed(labels)}`;
  return { names: labels, note };
}

function listed(names: readonly string[]): string {
  const list = names.slice(0, 10).map((name) => JSON.stringify(name)).join(", ");
  return names.length > 10 ? `${list} and ${names.length - 10} more` : list;
}

/** Returns the class names for config.json, in the order of the head's outputs. */
export function labelConfig(names: readonly string[]): Named<Json> {
  return {
    id2label: Object.fromEntries(names.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(names.map((label, i) => [label, i])),
  };
}
