/** The metadata about columns that `datasets` writes into tables. */
import { badFile, show } from "../../core/base/errors.ts";
import type { Named } from "../../core/types.ts";

type Feature = Readonly<{ _type?: unknown; names?: unknown; feature?: unknown }>;

/** Returns the class names of each column from the metadata that `datasets` has written; none without metadata. */
export function classesIn(
  text: string | undefined,
  columns: readonly string[] | null = null,
): Readonly<{ classes?: Named<readonly string[]> }> {
  let description: unknown;
  try {
    description = JSON.parse(text ?? "null");
  } catch {
    return {};
  }
  const features = (description as { info?: { features?: unknown }; features?: unknown } | null)?.info?.features ??
    (description as { features?: unknown } | null)?.features;
  if (typeof features !== "object" || features === null) return {};
  const classes = Object.entries(features).flatMap(([column, feature]) => {
    const names = columns && !columns.includes(column) ? undefined : namesOf(feature as Feature);
    return names ? [[column, names]] : [];
  });
  return classes.length > 0 ? { classes: Object.fromEntries(classes) } : {};
}

/** Returns the class names of a column of classes, or of (nested) lists of them: `List`, in older files `Sequence`. */
function namesOf(feature: Feature | null, depth = 0): readonly string[] | undefined {
  if (typeof feature !== "object" || feature === null || depth > 4) return undefined;
  const { _type: type, names, feature: inner } = feature;
  if (type === "ClassLabel") {
    return Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === "string")
      ? names
      : undefined;
  }
  return namesOf((inner ?? null) as Feature | null, depth + 1);
}

/** Throws AttuneError if two columns of a table have the same name: a row could only keep one of them. */
export function refuseTwice(plugin: string, name: string, columns: readonly string[]): void {
  const twice = columns.find((column, i) => columns.indexOf(column) < i);
  if (twice !== undefined) throw badFile(plugin, name, `has two columns ${show(twice)}`);
}
