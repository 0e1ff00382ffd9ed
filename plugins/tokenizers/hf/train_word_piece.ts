/**
 * Trains a WordPiece vocabulary like Hugging Face's WordPieceTrainer: pair merges by count.
 * @module
 */
import { badValue } from "../../../core/base/errors.ts";
import type { Json, Named } from "../../../core/types.ts";
import { alignedOf } from "./text/aligned.ts";
import { type Definition, normalizerOf } from "./normalizers.ts";
import { preTokenizerOf } from "./pre_tokenizers.ts";

/** Options of training. */
export type TrainWordPieceOptions = Readonly<{
  /** The number of tokens, including special ones and the alphabet. */
  vocabSize: number;
  lowercase?: boolean;
  /** Less frequent pairs are not merged. */
  minFrequency?: number;
  specialTokens?: readonly string[];
  /** The largest number of different characters; the rarest become unknown. */
  limitAlphabet?: number;
}>;

/** The contents of tokenizer.json and tokenizer_config.json. */
export type TokenizerFiles = Readonly<{ tokenizerJson: Named<Json>; tokenizerConfig: Named<Json> }>;

const PREFIX = "##";

/**
 * Trains a BERT-style tokenizer on texts; the same texts give the same vocabulary.
 *
 * @throws AttuneError if `vocabSize` is too small for special tokens and alphabet.
 * @example
 * ```ts
 * import { trainWordPiece } from "attune/tokenizers/train-word-piece";
 * const { tokenizerJson } = trainWordPiece(["low lower lowest"], { vocabSize: 30 });
 * console.assert(tokenizerJson.version === "1.0");
 * ```
 */
export function trainWordPiece(texts: Iterable<string>, options: TrainWordPieceOptions): TokenizerFiles {
  const { vocabSize, lowercase = true, minFrequency = 2, limitAlphabet = 1000 } = options;
  const specialTokens = options.specialTokens ?? ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const words = countWords(texts, lowercase);
  const alphabet = alphabetOf(words, limitAlphabet);
  const vocab = new Map<string, number>();
  const add = (token: string): void => void (vocab.has(token) || vocab.set(token, vocab.size));
  for (const token of specialTokens) add(token);
  for (const character of alphabet) add(character);
  const split = [...words].map(([word, count]) => ({
    count,
    symbols: [...word].filter((c) => alphabet.has(c)).map((c, i) => (i === 0 ? c : PREFIX + c)),
  }));
  for (const { symbols } of split) for (const symbol of symbols) add(symbol);
  if (vocab.size > vocabSize) {
    throw badValue("train-word-piece", "vocabSize", vocabSize, `at least ${vocab.size} (special tokens and alphabet)`);
  }
  merge(split, minFrequency, () => vocab.size < vocabSize, add);
  return filesOf(vocab, specialTokens, lowercase);
}

type Word = { readonly count: number; symbols: string[] };

/** Merges the most frequent pair repeatedly; of equally frequent ones the alphabetically first. */
function merge(
  words: readonly Word[],
  minFrequency: number,
  wanted: () => boolean,
  add: (token: string) => void,
): void {
  const counts = new Map<string, number>();
  const holders = new Map<string, Set<number>>();
  const change = (word: Word, index: number, sign: 1 | -1): void => {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const pair = `${word.symbols[i]} ${word.symbols[i + 1]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + sign * word.count);
      if (sign === 1) {
        const own = holders.get(pair) ?? new Set();
        holders.set(pair, own.add(index));
      }
    }
  };
  words.forEach((word, i) => change(word, i, 1));
  while (wanted()) {
    let best = "";
    let most = minFrequency - 1;
    for (const [pair, count] of counts) {
      if (count > most || (count === most && best !== "" && pair < best)) [best, most] = [pair, count];
    }
    if (best === "") return;
    const [a = "", b = ""] = best.split(" ");
    const joined = a + (b.startsWith(PREFIX) ? b.slice(PREFIX.length) : b);
    for (const index of holders.get(best) ?? []) {
      const word = words[index];
      if (!word) continue;
      change(word, index, -1);
      const symbols: string[] = [];
      for (let i = 0; i < word.symbols.length; i++) {
        const symbol = word.symbols[i] ?? "";
        if (symbol === a && word.symbols[i + 1] === b) {
          symbols.push(joined);
          i++;
        } else symbols.push(symbol);
      }
      word.symbols = symbols;
      change(word, index, 1);
    }
    counts.delete(best);
    holders.delete(best);
    add(joined);
  }
}

function countWords(texts: Iterable<string>, lowercase: boolean): Map<string, number> {
  const { normalizer, pre_tokenizer: preTokenizer } = definition({ "[UNK]": 0 }, [], lowercase);
  const normalize = normalizerOf(normalizer as Definition);
  const preTokenize = preTokenizerOf(preTokenizer as Definition);
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const { text: word } of preTokenize(normalize(alignedOf(text)))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function alphabetOf(words: ReadonlyMap<string, number>, limit: number): Set<string> {
  const counts = new Map<string, number>();
  for (const [word, count] of words) for (const c of word) counts.set(c, (counts.get(c) ?? 0) + count);
  const alphabet = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, limit).map(([c]) => c);
  return new Set(alphabet.sort());
}

function filesOf(
  vocab: ReadonlyMap<string, number>,
  specialTokens: readonly string[],
  lowercase: boolean,
): TokenizerFiles {
  const specialToken = (name: string): string => specialTokens.find((t) => t === `[${name}]`) ?? specialTokens[0] ?? "";
  return {
    tokenizerJson: definition(Object.fromEntries(vocab), specialTokens, lowercase),
    tokenizerConfig: {
      tokenizer_class: "BertTokenizer",
      do_lower_case: lowercase,
      model_max_length: 512,
      padding_side: "right",
      pad_token: specialToken("PAD"),
      unk_token: specialToken("UNK"),
      cls_token: specialToken("CLS"),
      sep_token: specialToken("SEP"),
      mask_token: specialToken("MASK"),
    },
  };
}

function definition(vocab: Named<number>, specialTokens: readonly string[], lowercase: boolean): Named<Json> {
  const special = (token: string): Json => ({ id: token, ids: [vocab[token] ?? 0], tokens: [token] });
  const cls = { SpecialToken: { id: "[CLS]", type_id: 0 } };
  const sep = (type: number): Json => ({ SpecialToken: { id: "[SEP]", type_id: type } });
  const text = (id: string, type: number): Json => ({ Sequence: { id, type_id: type } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content) => ({
      id: vocab[content] ?? 0,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [cls, text("A", 0), sep(0)],
      pair: [cls, text("A", 0), sep(0), text("B", 1), sep(1)],
      special_tokens: { "[CLS]": special("[CLS]"), "[SEP]": special("[SEP]") },
    },
    decoder: { type: "WordPiece", prefix: PREFIX, cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: PREFIX,
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}
