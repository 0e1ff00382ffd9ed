/** The tokens of a text. */

/** Ids, positions in UTF-16 units, the number of each token's word, and the blanks at both of its ends. */
export type Tokens = Readonly<{
  ids: number[];
  starts: number[];
  ends: number[];
  words: number[];
  /** Two numbers for each token, if positions exclude blanks. */
  blanks: number[];
  /** The texts of the tokens: if there are several, one for each word. */
  texts: readonly string[];
}>;
