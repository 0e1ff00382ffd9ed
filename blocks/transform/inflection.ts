/** Forms of English words: which base a form is of, and the same form of another base. */

/** Kinds of words that have synonyms. */
export type WordKind = "noun" | "verb" | "adjective" | "adverb";

/** A base form that a word may be of, and the ending that made it so. */
export type BaseForm = Readonly<{ base: string; kind: WordKind; ending: string }>;

/** Forms that are listed, since the usual endings do not make them. */
export type WordForms = Readonly<{
  /** The bases that a word is a form of. */
  basesOf(word: string): readonly BaseForm[];
  /** Those of a base that an ending stands for; several where a past and a participle differ. */
  formsOf(base: string, kind: WordKind, ending: string): readonly string[];
}>;

/** What ends like "policeman", and is none. */
const notMen = /(?:hu|ger|nor|ro|tur|sha|talis|otto|cai|musul)man$/;

const vowels = /[aeiou]/;

/** The bases that a word may be a form of by its ending. */
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

/** A base in the form that an ending stands for. Undefined where that may be one of several. */
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
  // Only short adjectives are compared by endings.
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
  // Longer words that double their last letter are listed: "visited", "admitted".
  const doubles = syllables(base) === 1 && /[^aeiou][aeiou][^aeiouwxy]$/.test(`x${base}`);
  return `${base}${doubles ? base.at(-1) : ""}${ending}`;
}

/** About how many syllables a word has. */
function syllables(word: string): number {
  const groups = word.replace(/e$/, "").match(/[aeiouy]+/g)?.length ?? 0;
  return Math.max(1, groups + (/[^aeiou]le$/.test(word) ? 1 : 0));
}

/** A word with the letters of another's case: all capitals, a capital first, or as it is. */
export function likeCase(word: string, as: string): string {
  if (as.length > 1 && as === as.toUpperCase() && as !== as.toLowerCase()) return word.toUpperCase();
  const [first = ""] = as;
  return first !== first.toLowerCase() ? word.charAt(0).toUpperCase() + word.slice(1) : word;
}

/** Whether "an" stands before a word. */
export const beginsWithVowel = (word: string): boolean => vowels.test(word.charAt(0).toLowerCase());
