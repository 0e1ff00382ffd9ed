/**
 * Maps the Brown corpus's tags to twelve parts of speech, as the universal tag set does (Petrov, Das & McDonald 2012).
 */

/** Names of the twelve parts of speech, in order of their ids. */
export const partsOfSpeech: readonly string[] = [
  "ADJ",
  "ADP",
  "ADV",
  "CONJ",
  "DET",
  "NOUN",
  "NUM",
  "PRON",
  "PRT",
  "VERB",
  "X",
  ".",
];

/** Prefixes of tags, of which the first match counts; `fw-` marks foreign words, `nil` untagged ones. */
const beginnings: readonly (readonly [RegExp, string])[] = [
  [/^(fw-|nil$|uh)/, "X"],
  [/^(ap|jj|od)/, "ADJ"],
  [/^(rb|ql|wrb|wql|rn|\*$)/, "ADV"],
  [/^in/, "ADP"],
  [/^(cc|cs)/, "CONJ"],
  [/^(at|ab[lnx]|dt|wdt)/, "DET"],
  [/^(nn|np|nr)/, "NOUN"],
  [/^cd/, "NUM"],
  [/^(pn|pp|wp|ex)/, "PRON"],
  [/^(rp|to)/, "PRT"],
  [/^(vb|be|hv|do|md)/, "VERB"],
];

/** Returns the part of speech of a tag; for contracted words ("ppss+bem") that of the first; "." for punctuation. */
export function partOfSpeech(tag: string): string {
  return beginnings.find(([beginning]) => beginning.test(tag))?.[1] ?? (/[a-z]/.test(tag) ? "X" : ".");
}
