/** Compares answers as SQuAD's official scripts do (Rajpurkar et al. 2016, 2018). */
import { common, countItems, punctuation, words } from "./words.ts";

const articles = /(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu;

/** Returns the words to compare: lower case, no ASCII punctuation, no articles. */
export function answerWords(text: string): string[] {
  const plain = Array.from(text.toLowerCase()).filter((c) => !punctuation.has(c)).join("");
  return words(plain.replace(articles, " "));
}

/** Returns 1 if both answers have the same words in the same order, else 0. */
function exactAnswer(gold: readonly string[], guess: readonly string[]): number {
  return gold.length === guess.length && gold.every((word, i) => word === guess[i]) ? 1 : 0;
}

/** Returns the F1 of the common words; 1 if both answers are empty, 0 if only one is. */
function answerF1(gold: readonly string[], guess: readonly string[]): number {
  if (gold.length === 0 || guess.length === 0) return gold.length === guess.length ? 1 : 0;
  return 2 * common(countItems(gold), countItems(guess)) / (gold.length + guess.length);
}

/** Returns the best of both scores over the gold answers; without any, the empty answer is the right one. */
export function bestAnswer(
  golds: readonly (readonly string[])[],
  guess: readonly string[],
): Readonly<{ exact: number; f1: number }> {
  const all = golds.length > 0 ? golds : [[]];
  return {
    exact: all.reduce((best, gold) => Math.max(best, exactAnswer(gold, guess)), 0),
    f1: all.reduce((best, gold) => Math.max(best, answerF1(gold, guess)), 0),
  };
}
