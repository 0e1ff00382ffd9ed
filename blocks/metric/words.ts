/**
 * Splitting text like Python's str methods, on which the reference implementations are based.
 * @module
 */

const blank = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const blanks = new RegExp(`[${blank}]+`, "u");
const manyBlanks = new RegExp(`[${blank}][${blank}]+`, "gu");
const leading = new RegExp(`^[${blank}]+`, "u");
const isBlank = new RegExp(`[${blank}]`, "u");

/** Splits at white space, like Python's `text.split()`. */
export function words(text: string): string[] {
  return text.split(blanks).filter((word) => word !== "");
}

/** Splits at spaces as jiwer does: several blanks in a row are one space, but a single tab is none. */
export function spacedWords(text: string): string[] {
  return trim(text.replace(manyBlanks, " ")).split(" ").filter((word) => word !== "");
}

/** Removes white space at the end, like Python's `text.rstrip()`. */
export function trimEnd(text: string): string {
  // A regular expression would search for the end after each blank, in quadratic time.
  let end = text.length;
  while (end > 0 && isBlank.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Removes white space at both ends, like Python's `text.strip()`. */
export function trim(text: string): string {
  return trimEnd(text).replace(leading, "");
}

/** ASCII punctuation: Python's `string.punctuation`. */
export const punctuation: ReadonlySet<string> = new Set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");

/** Counts how often each item occurs. */
export function countItems<T>(items: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/** Counts the items that two counts have in common. */
export function common<T>(a: ReadonlyMap<T, number>, b: ReadonlyMap<T, number>): number {
  let same = 0;
  for (const [item, count] of a) same += Math.min(count, b.get(item) ?? 0);
  return same;
}

/** Returns every run of `n` items, joined by a character that no item contains. */
export function ngrams(items: readonly string[], n: number): string[] {
  const out: string[] = [];
  for (let i = 0; i + n <= items.length; i++) out.push(items.slice(i, i + n).join("\0"));
  return out;
}
