/** Tokens of a text. */

/** Ids, places in UTF-16 units, the number of the word each is of, and the blanks it begins and ends with. */
export type Tokens = Readonly<{
  ids: number[];
  starts: number[];
  ends: number[];
  words: number[];
  /** Twice for each token, where the places of tokens leave blanks out. */
  blanks: number[];
  /** The texts that the tokens stand in: for each token which one, where there are several. */
  texts: readonly string[];
}>;
