/**
 * Reading of classes from values, by name or by number. The rule depends on the classes alone, so that a column is read
 * the same way in all rows and from every file format: 1, "1" and 1.0 are the same value.
 */

/** Returns a number, or the number that a text spells; undefined for anything else. */
export function asNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const isNumber = typeof value === "string" && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value);
  return isNumber ? Number(value) : undefined;
}

/**
 * Returns a function that reads a value as a class id; undefined means no class. Names take precedence. A number is an
 * index into `labels`, unless class names are numbers themselves (stars "1" to "5"): then it is a name.
 *
 * @example
 * ```ts
 * import { classReader } from "attune";
 * console.assert(classReader(["bad", "good"])(1) === 1 && classReader(["1", "2"])(1) === 0);
 * ```
 */
export function classReader(labels: readonly string[]): (value: unknown) => number | undefined {
  const byName = new Map(labels.map((label, id) => [label, id]));
  const byNumber = new Map<number, number | undefined>();
  labels.forEach((label, id) => {
    const number = asNumber(label);
    // "1" and "01" may both be names: then the number 1 is neither.
    if (number !== undefined) byNumber.set(number, byNumber.has(number) ? undefined : id);
  });
  const hasOtherNumbers = [...byNumber].some(([number, id]) => number !== id);
  return (value) => {
    const id = typeof value === "string" || typeof value === "boolean" ? byName.get(String(value)) : undefined;
    if (id !== undefined) return id;
    const number = asNumber(value);
    if (number === undefined) return undefined;
    if (hasOtherNumbers) return byNumber.get(number);
    return Number.isInteger(number) && number >= 0 && number < labels.length ? number : undefined;
  };
}
