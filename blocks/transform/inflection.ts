/**
 * Forms of English words: which base a form is of, and the same form of another base.
 * @module
 */

/** Kinds of words that have synonyms. */
export type WordKind = "noun" | "verb" | "adjective" | "adverb";

/** A base form that a word may be of, and the ending that made it so. */
export type BaseForm = Readonly<{ base: string; kind: WordKind; ending: string }>;

/** Words whose forms are not made by endings: no form of theirs is made up. */
const irregular = new Set(
  ("be have do go say get make know think take see come give find tell feel become leave put mean keep let begin show hear run " +
    "hold bring write sit stand lose pay meet set learn lead understand speak read spend grow win teach buy send build fall " +
    "cut sell catch draw fight choose eat break wear hit shoot drive throw rise bear beat bend bet bid bind bite bleed blow breed " +
    "burst cast cling creep deal dig dream drink feed flee fling fly forbid forget forgive freeze grind hang hide hurt kneel lay " +
    "lend lie light overcome ride ring seek shake shed shine shrink shut sing sink sleep slide slit spin spit split spread spring " +
    "steal stick sting stink strike strive swear sweep swell swim swing tear thrust undergo undertake undo upset wake weave weep " +
    "wind withdraw wring quit man woman child foot tooth goose mouse person ox good bad far little much many well")
    .split(" "),
);

const vowels = /[aeiou]/;

/** The bases that a word may be a form of, itself first. */
export function baseForms(word: string): readonly BaseForm[] {
  const forms: BaseForm[] = (["noun", "verb", "adjective", "adverb"] as const).map((kind) => ({
    base: word,
    kind,
    ending: "",
  }));
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

/** A base in the form that an ending stands for. Undefined where that form is not made by endings. */
export function inflected(base: string, kind: WordKind, ending: string): string | undefined {
  if (ending === "") return base;
  if (irregular.has(base)) return undefined;
  const isConsonantY = /[^aeiou]y$/.test(base);
  if (ending === "s") {
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
  const doubles = /[^aeiou][aeiou][^aeiouwxy]$/.test(`x${base}`);
  // Of longer words only some double their last letter: "visited", "admitted".
  if (doubles && syllables(base) > 1) return undefined;
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
