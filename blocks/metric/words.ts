/**
 * Cutting text as Python's str methods do, which the reference implementations rest on.
 * @module
 */

const blank = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const blanks = new RegExp(`[${blank}]+`, "u");
const manyBlanks = new RegExp(`[${blank}][${blank}]+`, "gu");
const leading = new RegExp(`^[${blank}]+`, "u");
const isBlank = new RegExp(`[${blank}]`, "u");

/** The words between blanks: Python's `text.split()`. */
export function words(text: string): string[] {
  return text.split(blanks).filter((word) => word !== "");
}

/** The words between spaces, as jiwer has them: blanks side by side are one space, and a single tab is none. */
export function spacedWords(text: string): string[] {
  return trim(text.replace(manyBlanks, " ")).split(" ").filter((word) => word !== "");
}

/** The text without blanks at its end: Python's `text.rstrip()`. */
export function trimEnd(text: string): string {
  // An expression would look for the end behind each blank.
  let end = text.length;
  while (end > 0 && isBlank.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** The text without blanks at either end: Python's `text.strip()`. */
export function trim(text: string): string {
  return trimEnd(text).replace(leading, "");
}

/** ASCII punctuation: Python's `string.punctuation`. */
export const punctuation: ReadonlySet<string> = new Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");

/** How often each item occurs. */
export function countItems<T>(items: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/** How many items two counts have in common. */
export function common<T>(a: ReadonlyMap<T, number>, b: ReadonlyMap<T, number>): number {
  let same = 0;
  for (const [item, count] of a) same += Math.min(count, b.get(item) ?? 0);
  return same;
}

/** Every run of `n` items, joined by a character that no item holds. */
export function ngrams(items: readonly string[], n: number): string[] {
  const out: string[] = [];
  for (let i = 0; i + n <= items.length; i++) out.push(items.slice(i, i + n).join("\0"));
  return out;
}
