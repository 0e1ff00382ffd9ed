/** Pairs of a text and a shorter one, made from tagged sentences by a rule. */
import type { Row } from "../../core/types.ts";

/** Number of words of the shortest and of the longest sentence. */
const [SHORTEST, LONGEST] = [6, 16];

/** Tags of the words in a telegram: names and nouns, numbers, verbs, adjectives (and the word "not"). */
const telegraphic: ReadonlySet<string> = new Set(["NOUN", "NUM", "VERB", "ADJ"]);

/**
 * Returns rows with `source`, a tagged sentence of the Brown corpus, and `target`, the same as a telegram: its nouns,
 * numbers, verbs and adjectives, in order and in lower case.
 */
export function telegrams(sentences: readonly Row[]): Row[] {
  return sentences.flatMap((row): Row[] => {
    const [tokens, tags] = [row.tokens, row.tags] as string[][];
    if (!tokens || !tags || tokens.length < SHORTEST || tokens.length > LONGEST) return [];
    const target = tokens.filter((token, i) => telegraphic.has(tags[i] ?? "") || token === "not").join(" ")
      .toLowerCase();
    return target === "" ? [] : [{ source: row.text, target }];
  });
}
