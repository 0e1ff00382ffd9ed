/**
 * Quality rules for web texts: Gopher's (Rae et al. 2021, table A1), in datatrove's order and with its names for the
 * rule that failed.
 */

/** Limits of the rules; a limit that is null or absent is not checked. */
export type QualityLimits = Readonly<{
  /** Words that are not all punctuation, at least. */
  minDocWords?: number | null;
  /** And at most. */
  maxDocWords?: number | null;
  /** Their mean length, at least. */
  minAvgWordLength?: number | null;
  /** And at most. */
  maxAvgWordLength?: number | null;
  /** `#` and, by itself, ellipses for each word. */
  maxSymbolWordRatio?: number | null;
  /** Share of lines that begin with a bullet. */
  maxBulletLinesRatio?: number | null;
  /** Share of lines that end with an ellipsis. */
  maxEllipsisLinesRatio?: number | null;
  /** Share of words that have a letter, at least: datatrove's name says it the other way round. */
  maxNonAlphaWordsRatio?: number | null;
  /** Different stop words, at least. */
  minStopWords?: number | null;
  /** The stop words. */
  stopWords?: readonly string[] | null;
  /** Share of lines that are repeated. */
  dupLineFrac?: number | null;
  /** Share of paragraphs that are repeated. */
  dupParaFrac?: number | null;
  /** Share of the characters in repeated lines. */
  dupLineCharFrac?: number | null;
  /** Share of the characters in repeated paragraphs. */
  dupParaCharFrac?: number | null;
  /** Share of the characters of the most frequent n words: n and limit. */
  topNGrams?: readonly (readonly [number, number])[] | null;
  /** Share of the characters in repeated n words: n and limit. */
  dupNGrams?: readonly (readonly [number, number])[] | null;
}>;

/** Gopher's limits. */
export const gopher: QualityLimits = {
  minDocWords: 50,
  maxDocWords: 100_000,
  minAvgWordLength: 3,
  maxAvgWordLength: 10,
  maxSymbolWordRatio: 0.1,
  maxBulletLinesRatio: 0.9,
  maxEllipsisLinesRatio: 0.3,
  maxNonAlphaWordsRatio: 0.8,
  minStopWords: 2,
  dupLineFrac: 0.3,
  dupParaFrac: 0.3,
  dupLineCharFrac: 0.2,
  dupParaCharFrac: 0.2,
  topNGrams: [[2, 0.2], [3, 0.18], [4, 0.16]],
  dupNGrams: [[5, 0.15], [6, 0.14], [7, 0.13], [8, 0.12], [9, 0.11], [10, 0.1]],
};

const STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"];

/** Returns the first rule that a text fails; undefined if it passes all. Words are separated by white space. */
export function failedRule(text: string, limits: QualityLimits): string | undefined {
  const words = text.split(/\s+/u).filter((word) => word !== "");
  return failedQuality(text, words, limits) ?? failedRepetition(text, words, limits);
}

/** Returns the first rule about words and lines that a text fails. */
export function failedQuality(text: string, words: readonly string[], limits: QualityLimits): string | undefined {
  const fails = (value: number, least?: number | null, most?: number | null): boolean =>
    (Boolean(least) && value < Number(least)) || (Boolean(most) && value > Number(most));
  const wordy = words.filter((word) => !/^[\p{P}\p{Cc}$+<=>^`|~´∶～％]*$/u.test(word));
  if (fails(wordy.length, limits.minDocWords)) return "gopher_short_doc";
  if (fails(wordy.length, null, limits.maxDocWords)) return "gopher_long_doc";
  const mean = wordy.reduce((n, word) => n + lengthOf(word), 0) / wordy.length;
  if (fails(mean, limits.minAvgWordLength)) return "gopher_below_avg_threshold";
  if (fails(mean, null, limits.maxAvgWordLength)) return "gopher_above_avg_threshold";
  const symbols = (...parts: string[]): number =>
    parts.reduce((n, part) => n + text.split(part).length - 1, 0) / words.length;
  if (fails(symbols("#"), null, limits.maxSymbolWordRatio)) return "gopher_too_many_hashes";
  if (fails(symbols("...", "…"), null, limits.maxSymbolWordRatio)) return "gopher_too_many_ellipsis";
  const lines = linesOf(text);
  const share = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length / lines.length;
  if (fails(share(/^\s*[•-]/u), null, limits.maxBulletLinesRatio)) return "gopher_too_many_bullets";
  if (fails(share(/(?:\.\.\.|…)\s*$/u), null, limits.maxEllipsisLinesRatio)) return "gopher_too_many_end_ellipsis";
  const letters = words.filter((word) => /\p{L}/u.test(word)).length / words.length;
  if (fails(letters, limits.maxNonAlphaWordsRatio)) return "gopher_below_alpha_threshold";
  const there = new Set(words);
  const stops = new Set(limits.stopWords ?? STOP_WORDS);
  if (fails([...stops].filter((word) => there.has(word)).length, limits.minStopWords)) {
    return "gopher_enough_stop_words";
  }
  return undefined;
}

/** Returns the first rule about repetition that a text fails. */
export function failedRepetition(text: string, words: readonly string[], limits: QualityLimits): string | undefined {
  const repeats = [
    "dupParaFrac",
    "dupParaCharFrac",
    "dupLineFrac",
    "dupLineCharFrac",
    "topNGrams",
    "dupNGrams",
  ] as const;
  if (!repeats.some((name) => limits[name])) return undefined;
  if (text === "") return "empty";
  const length = lengthOf(text);
  const above = (amount: number, most: number | null | undefined): boolean => Boolean(most) && amount > Number(most);
  const paragraphs = duplicates(text.trim().split(/\n{2,}/));
  if (above(paragraphs.share, limits.dupParaFrac)) return "dup_para_frac";
  if (above(paragraphs.characters / length, limits.dupParaCharFrac)) return "dup_para_char_frac";
  const lines = duplicates(text.split(/\n+/));
  if (above(lines.share, limits.dupLineFrac)) return "dup_line_frac";
  if (above(lines.characters / length, limits.dupLineCharFrac)) return "dup_line_char_frac";
  for (const [n, most] of limits.topNGrams ?? []) {
    if (words.length >= n && topCharacters(words, n) / length > most) return `top_${n}_gram`;
  }
  for (const [n, most] of limits.dupNGrams ?? []) {
    if (repeatedCharacters(words, n) / length > most) return `duplicated_${n}_n_grams`;
  }
  return undefined;
}

/** Returns the length of a text in code points. */
export function lengthOf(text: string): number {
  let points = 0;
  for (const _ of text) points++;
  return points;
}

/** Splits a text into lines, like Python's `splitlines`. */
function linesOf(text: string): string[] {
  // deno-lint-ignore no-control-regex
  const lines = text.split(/\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/u);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** Returns the share of parts that are repeated, and their number of characters. */
function duplicates(parts: readonly string[]): Readonly<{ share: number; characters: number }> {
  const seen = new Set<string>();
  let [count, characters] = [0, 0];
  for (const part of parts) {
    if (seen.has(part)) {
      count++;
      characters += lengthOf(part);
    } else seen.add(part);
  }
  return { share: count / parts.length, characters };
}

/** Counts the characters of the most frequent n words (of equally frequent ones the first), blanks included. */
function topCharacters(words: readonly string[], n: number): number {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const gram = words.slice(i, i + n).join(" ");
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  let [best, most] = ["", 0];
  for (const [gram, count] of counts) if (count > most) [best, most] = [gram, count];
  return lengthOf(best) * most;
}

/** Counts the characters of repeated n words; a repeated run is skipped as a whole. */
function repeatedCharacters(words: readonly string[], n: number): number {
  const seen = new Set<string>();
  let characters = 0;
  for (let i = 0; i + n <= words.length;) {
    const gram = words.slice(i, i + n).join("");
    if (seen.has(gram)) {
      characters += lengthOf(gram);
      i += n;
    } else {
      seen.add(gram);
      i++;
    }
  }
  return characters;
}
