/** Inflection of English words: the base of a form, and the same form of another base. */

/** Word classes that have synonyms. */
export type WordKind = "noun" | "verb" | "adjective" | "adverb";

/** A possible base form of a word, and the ending of the word's form. */
export type BaseForm = Readonly<{ base: string; kind: WordKind; ending: string }>;

/** Irregular forms, given by lists. */
export type WordForms = Readonly<{
  /** Returns the bases of a word. */
  basesOf(word: string): readonly BaseForm[];
  /** Returns the forms of a base for an ending; several if past and participle differ. */
  formsOf(base: string, kind: WordKind, ending: string): readonly string[];
}>;

/** Words that end like "policeman" but are not compounds of "man". */
const notMen = /(?:hu|ger|nor|ro|tur|sha|talis|otto|cai|musul)man$/;

const vowels = /[aeiou]/;

/** Returns the possible bases of a word, by its ending. */
export function baseForms(word: string): readonly BaseForm[] {
  const forms: BaseForm[] = [];
  const add = (kind: WordKind, ending: string, ...bases: string[]): void => {
    for (const base of bases) if (base.length > 1) forms.push({ base, kind, ending });
  };
  const cut = (n: number): string => word.slice(0, -n);
  const single = (
    stem: string,
  ): string[] => (/([^aeiouls])\1$/.test(stem) ? [stem.slice(0, -1), stem] : [stem, `${stem}e`]);
  if (/ies$/.test(word)) { for (const kind of ["noun", "verb"] as const) add(kind, "s", `${cut(3)}y`); }
  else if (/(?:s|x|z|ch|sh)es$/.test(word)) {
    for (const kind of ["noun", "verb"] as const) add(kind, "s", cut(2), cut(1));
  } else if (/[^su]s$/.test(word)) { for (const kind of ["noun", "verb"] as const) add(kind, "s", cut(1)); }
  if (/ied$/.test(word)) add("verb", "ed", `${cut(3)}y`);
  else if (/ed$/.test(word)) add("verb", "ed", ...single(cut(2)));
  if (/ing$/.test(word)) add("verb", "ing", ...single(cut(3)));
  for (const ending of ["er", "est"]) {
    if (word.endsWith(`i${ending}`)) add("adjective", ending, `${cut(ending.length + 1)}y`);
    else if (word.endsWith(ending)) add("adjective", ending, ...single(cut(ending.length)));
  }
  return forms;
}

/** Returns the form of a base for an ending; undefined if it is ambiguous. */
export function inflect(base: string, kind: WordKind, ending: string, forms: WordForms): string | undefined {
  if (ending === "") return base;
  const [listed, ...others] = forms.formsOf(base, kind, ending);
  if (listed !== undefined) return others.length === 0 ? listed : undefined;
  const isConsonantY = /[^aeiou]y$/.test(base);
  if (ending === "s") {
    if (kind === "noun" && /[a-z]{3}man$/.test(base) && !notMen.test(base)) return `${base.slice(0, -3)}men`;
    if (isConsonantY) return `${base.slice(0, -1)}ies`;
    return /(?:s|x|z|ch|sh)$/.test(base) ? `${base}es` : `${base}s`;
  }
  // Only short adjectives are compared with endings.
  if (kind === "adjective" && syllables(base) > (isConsonantY ? 2 : 1)) return undefined;
  if (ending !== "ing" && isConsonantY) return `${base.slice(0, -1)}i${ending}`;
  if (base.endsWith("e")) {
    if (ending === "ing") {
      return /(?:ee|oe|ye)$/.test(base)
        ? `${base}ing`
        : base.endsWith("ie")
        ? `${base.slice(0, -2)}ying`
        : `${base.slice(0, -1)}ing`;
    }
    return base + ending.slice(1);
  }
  // Longer verbs that double their last letter are in the lists: "visited", "admitted".
  const doubles = syllables(base) === 1 && /[^aeiou][aeiou][^aeiouwxy]$/.test(`x${base}`);
  return `${base}${doubles ? base.at(-1) : ""}${ending}`;
}

/** Estimates the number of syllables of a word. */
function syllables(word: string): number {
  const groups = word.replace(/e$/, "").match(/[aeiouy]+/g)?.length ?? 0;
  return Math.max(1, groups + (/[^aeiou]le$/.test(word) ? 1 : 0));
}

/** Gives a word the case of another: all capitals, an initial capital, or unchanged. */
export function likeCase(word: string, as: string): string {
  if (as.length > 1 && as === as.toUpperCase() && as !== as.toLowerCase()) return word.toUpperCase();
  const [first = ""] = as;
  return first !== first.toLowerCase() ? word.charAt(0).toUpperCase() + word.slice(1) : word;
}

/** Whether a word takes "an", not "a". */
export const beginsWithVowel = (word: string): boolean => vowels.test(word.charAt(0).toLowerCase());
