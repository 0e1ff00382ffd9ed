/** Changes of single words: replaced by synonyms, inserted, swapped, deleted, mistyped. */
import { permutation } from "../../core/math/random.ts";
import type { Random } from "../../core/types.ts";
import { beginsWithVowel, likeCase } from "./inflection.ts";
import type { Synonyms } from "./wordnet.ts";

/**
 * A word of a text. `isFixed`: it belongs to an answer or an entity, and stays. `isInside`: nothing may be inserted
 * before it.
 */
export type Word = Readonly<{ text: string; isFixed: boolean; isInside: boolean }>;

/**
 * A change: a word is replaced, and tagged like the word at `tagOf`; one is inserted before a place; one is removed.
 */
export type WordChange = Readonly<
  { replace: number; by: string; tagOf?: number } | { insert: number; text: string; tagOf: number } | { remove: number }
>;

/** Consecutive numbers of a random stream. */
export interface Draws {
  /** A whole number from 0 to n - 1. */
  below(n: number): number;
  /** A number from 0 to below 1. */
  next(): number;
  /** The list in random order. */
  shuffled<T>(list: readonly T[]): T[];
}

/** Draws from a random stream. */
export function drawsFrom(random: Random): Draws {
  let at = 0;
  const next = (): number => random.uniform(at++);
  return {
    next,
    below: (n) => Math.floor(next() * n),
    shuffled: (list) =>
      [...permutation(random.fork("order", at++), list.length)].map((i) => list[i] as (typeof list)[number]),
  };
}

/** Returns how many words to change: at least one. */
export const changedWords = (alpha: number, words: number): number => Math.max(1, Math.floor(alpha * words));

// Function words, and negations.
const stopWords = new Set(
  ("a about above after again all am an and any are as at be because been before being below between both but by can could did " +
    "do does doing down during each few for from further had has have having he her here hers herself him himself his how i if " +
    "in into is it its itself just may me might more most must my myself of off on once only or other our ours ourselves out " +
    "over own same shall she should so some such than that the their theirs them themselves then there these they this those " +
    "through to too under until up us very one two three four five six seven eight nine ten was we were what when where which while who whom why will with would you your yours")
    .split(" "),
);
const negations = new Set(
  "no not nor never none nobody nothing neither nowhere hardly barely scarcely without cannot lack lacks lacking".split(
    " ",
  ),
);

/** Whether a word negates what is said, so that it must stay: "not", "never", "don't". */
const isNegation = (word: string): boolean => negations.has(word.toLowerCase()) || /n['’]t$/i.test(word);

const canChange = ({ text, isFixed }: Word): boolean =>
  !isFixed && /^\p{L}+$/u.test(text) && !stopWords.has(text.toLowerCase()) && !isNegation(text);

/** Replaces words by synonyms; all equal words get the same one. */
export function withSynonyms(words: readonly Word[], n: number, draws: Draws, synonyms: Synonyms): WordChange[] {
  const different = [...new Set(words.filter(canChange).map(({ text }) => text.toLowerCase()))];
  const changes: WordChange[] = [];
  let left = n;
  for (const word of draws.shuffled(different)) {
    if (left === 0) break;
    const known = synonyms(word);
    if (known.length === 0) continue;
    const chosen = known[draws.below(known.length)] ?? word;
    words.forEach((token, i) => {
      if (token.isFixed || token.text.toLowerCase() !== word) return;
      changes.push({ replace: i, by: likeCase(chosen, token.text) });
      const article = words[i - 1];
      if (article && !article.isFixed && /^an?$/i.test(article.text)) {
        const right = beginsWithVowel(chosen) ? "an" : "a";
        if (article.text.toLowerCase() !== right) changes.push({ replace: i - 1, by: likeCase(right, article.text) });
      }
    });
    left--;
  }
  return changes;
}

/** How often to try to find a word with synonyms, as in EDA. */
const TRIES = 10;

/** Inserts synonyms of some words at random positions, except at the start and inside of fixed words. */
export function withInsertions(words: readonly Word[], n: number, draws: Draws, synonyms: Synonyms): WordChange[] {
  const places = [...words.keys(), words.length].filter((place) => place > 0 && !words[place]?.isInside);
  const sources = [...words.keys()].filter((i) => canChange(words[i] as Word));
  const changes: WordChange[] = [];
  for (let k = 0; k < n && places.length > 0 && sources.length > 0; k++) {
    for (let tries = 0; tries < TRIES; tries++) {
      const source = sources[draws.below(sources.length)] ?? 0;
      const known = synonyms(words[source]?.text ?? "");
      if (known.length === 0) continue;
      const text = known[draws.below(known.length)] ?? "";
      changes.push({ insert: places[draws.below(places.length)] ?? words.length, text, tagOf: source });
      break;
    }
  }
  return changes;
}

/** Swaps pairs of words. The first word of a sentence keeps its capital. */
export function withSwaps(words: readonly Word[], n: number, draws: Draws): WordChange[] {
  const free = [...words.keys()].filter((i) => !words[i]?.isFixed && !isNegation(words[i]?.text ?? ""));
  if (free.length < 2) return [];
  const order = [...words.keys()];
  for (let k = 0; k < n; k++) {
    for (let tries = 0; tries < 3; tries++) {
      const [a, b] = [free[draws.below(free.length)] ?? 0, free[draws.below(free.length)] ?? 0];
      if (a === b || words[order[a] ?? 0]?.text === words[order[b] ?? 0]?.text) continue;
      [order[a], order[b]] = [order[b] ?? 0, order[a] ?? 0];
      break;
    }
  }
  return order.flatMap((from, to): WordChange[] => {
    if (from === to) return [];
    const [shared, place] = [words[from]?.text ?? "", words[to]?.text ?? ""];
    // The capital belongs to the position, not to the word that was there.
    const lowered = from === 0 && shared !== shared.toUpperCase()
      ? shared.charAt(0).toLowerCase() + shared.slice(1)
      : shared;
    const text = to === 0
      ? likeCase(lowered, place.length > 1 && place === place.toUpperCase() ? place.charAt(0) : place)
      : lowered;
    return [{ replace: to, by: text, tagOf: from }];
  });
}

/** Deletes each word with probability `alpha`; at least one, and never all. Negations stay. */
export function withDeletions(words: readonly Word[], alpha: number, draws: Draws): WordChange[] {
  const free = [...words.keys()].filter((i) => !words[i]?.isFixed && !isNegation(words[i]?.text ?? ""));
  if (words.length < 2 || free.length === 0) return [];
  let gone = free.filter(() => draws.next() < alpha);
  if (gone.length === 0) gone = [free[draws.below(free.length)] ?? 0];
  if (gone.length === words.length) gone.splice(draws.below(gone.length), 1);
  const changes: WordChange[] = gone.map((remove) => ({ remove }));
  // The capital of the first word belongs to the sentence.
  const next = [...words.keys()].find((i) => !gone.includes(i)) ?? 0;
  const { text = "", isFixed = true } = words[next] ?? {};
  const begun = next === 0 || isFixed ? text : likeCase(text, words[0]?.text.charAt(0) ?? "");
  return begun === text ? changes : [...changes, { replace: next, by: begun }];
}

/** The rows of a keyboard: a letter's neighbours are hit in its place. */
const keyboard = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/** Makes typing errors in words: two letters swapped, one left out, doubled, or replaced by a neighbouring key. */
export function withTypos(words: readonly Word[], n: number, draws: Draws): WordChange[] {
  const long = [...words.keys()].filter((i) => {
    const { text = "", isFixed = true } = words[i] ?? {};
    return !isFixed && /^[a-z]{4,}$/i.test(text) && !isNegation(text);
  });
  return draws.shuffled(long).slice(0, n).map((i) => ({ replace: i, by: mistyped(words[i]?.text ?? "", draws) }));
}

function mistyped(word: string, draws: Draws): string {
  // The first letter stays: errors there are rare, and it may be a capital.
  const at = 1 + draws.below(word.length - 2);
  const [before, letter, next, behind] = [word.slice(0, at), word.charAt(at), word.charAt(at + 1), word.slice(at + 2)];
  const slip = draws.below(4);
  if (slip === 0 && letter !== next) return before + next + letter + behind;
  if (slip === 1) return before + next + behind;
  if (slip === 2) return before + letter + letter + next + behind;
  const row = keyboard.find((keys) => keys.includes(letter.toLowerCase())) ?? "";
  const place = row.indexOf(letter.toLowerCase());
  const beside = [row[place - 1], row[place + 1]].filter((key) => key !== undefined);
  const hit = beside[draws.below(beside.length)] ?? letter;
  return before + (letter === letter.toUpperCase() ? hit.toUpperCase() : hit) + next + behind;
}

/** Returns the positions of words that a model is to fill in. */
export function maskedWords(words: readonly Word[], n: number, draws: Draws): readonly number[] {
  const free = [...words.keys()].filter((i) => canChange(words[i] as Word));
  return draws.shuffled(free).slice(0, n).sort((a, b) => a - b);
}
