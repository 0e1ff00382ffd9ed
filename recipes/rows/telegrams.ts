/** Texts beside shorter ones, made of tagged sentences by a rule. */
import type { Row } from "../../core/types.ts";

/** Words of the shortest and of the longest sentence. */
const [SHORTEST, LONGEST] = [6, 16];

/** What a telegram says: names and nouns, numbers, verbs, adjectives, and "not". */
const telegraphic: ReadonlySet<string> = new Set(["NOUN", "NUM", "VERB", "ADJ"]);

/**
 * `source`: a sentence that the Brown corpus has tagged; `target`: the same as a telegram, that is its nouns, numbers, verbs
 * and adjectives in their order, in lower case.
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
