/** A tokenizer of 28 tokens: whole words, and one token for all other words. */
import {
  type AttuneError,
  badValue,
  define,
  type EncodeOptions,
  type Encoding,
  type Factory,
  type Named,
  type Schema,
  type Tokenizer,
} from "../../kit.ts";

const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const words = "the a film food phone was is very good bad great awful nice poor and but not fun dull ! . ? ,".split(
  " ",
);

/** The 28 tokens, by id. */
export const tinyVocabulary: readonly string[] = [...special, ...words];

const [PAD, UNK, CLS, SEP, MASK] = [0, 1, 2, 3, 4];
const ids: ReadonlyMap<string, number> = new Map(tinyVocabulary.map((word, id) => [word, id]));

/** A schema that accepts any options. */
export const anyOptions: Schema<Named<unknown>, Named<unknown>> = {
  "~standard": { validate: (value) => ({ value: (value ?? {}) as Named<unknown> }) },
};

/** Loader of the tiny tokenizer, which ignores a checkpoint's files. */
export const tinyTokenizer: Factory<"tokenizer", Named<unknown>> = define({
  kind: "tokenizer",
  name: "tiny-words",
  schema: anyOptions,
  create: () => ({ open: () => Promise.resolve(tinyWords) }),
});

type Token = Readonly<{ id: number; start: number; end: number; word: number }>;

/** Returns the words and punctuation of a text, with their offsets. */
function tokensOf(text: string | readonly string[]): Token[] {
  if (typeof text !== "string") {
    return text.flatMap((word, i) => tokensOf(word).map((token) => ({ ...token, word: i })));
  }
  return [...text.matchAll(/[\p{L}\p{N}]+|[^\p{L}\p{N}\s]/gu)].map((match, word) => ({
    id: ids.get(match[0].toLowerCase()) ?? UNK,
    start: match.index,
    end: match.index + match[0].length,
    word,
  }));
}

type Part = Readonly<{ token?: Token; id: number; sequence: number; type: number }>;

function encodingOf(first: readonly Token[], second: readonly Token[] | undefined, added: boolean): Encoding {
  const mark = (id: number, type: number): Part[] => (added ? [{ id, sequence: -1, type }] : []);
  const partsOf = (tokens: readonly Token[], sequence: number): Part[] =>
    tokens.map((token) => ({ token, id: token.id, sequence, type: sequence }));
  const parts = [
    ...mark(CLS, 0),
    ...partsOf(first, 0),
    ...mark(SEP, 0),
    ...(second ? [...partsOf(second, 1), ...mark(SEP, 1)] : []),
  ];
  const column = (of: (part: Part) => number): Int32Array => Int32Array.from(parts, of);
  return {
    ids: column(({ id }) => id),
    typeIds: column(({ type }) => type),
    specialTokensMask: column(({ token }) => (token ? 0 : 1)),
    offsets: Int32Array.from(parts.flatMap(({ token }) => [token?.start ?? 0, token?.end ?? 0])),
    wordIds: column(({ token }) => token?.word ?? -1),
    sequenceIds: column(({ sequence }) => sequence),
  };
}

/** Returns how many tokens of each text remain after truncation. */
function cut(lengths: readonly [number, number], over: number, how: EncodeOptions["truncation"]): [number, number] {
  let [a, b] = lengths;
  for (let left = over; left > 0; left--) {
    const second = how === "only_second" || (how !== "only_first" && b > a);
    if (second) b--;
    else a--;
  }
  if (a < 0 || b < 0) throw tooShort(over);
  return [a, b];
}

const tooShort = (value: unknown): AttuneError =>
  badValue("tiny-words", "maxLength", value, "room for the special tokens and a token");

function encode(text: string | readonly string[], options: EncodeOptions = {}): readonly [Encoding, ...Encoding[]] {
  const { textPair, maxLength, truncation = maxLength !== undefined, stride = 0, addSpecialTokens = true } = options;
  const [first, second] = [tokensOf(text), textPair === undefined ? undefined : tokensOf(textPair)];
  const marks = addSpecialTokens ? (second ? 3 : 2) : 0;
  const over = maxLength === undefined || truncation === false || truncation === "do_not_truncate"
    ? 0
    : marks + first.length + (second?.length ?? 0) - maxLength;
  if (over <= 0) return [encodingOf(first, second, addSpecialTokens)];
  const [a, b] = cut([first.length, second?.length ?? 0], over, truncation === true ? "longest_first" : truncation);
  if (!options.returnOverflowingTokens) return [encodingOf(first.slice(0, a), second?.slice(0, b), addSpecialTokens)];
  // Windows slide over the truncated text, or over the first if both are truncated.
  const cutSecond = a === first.length;
  const [long, size] = cutSecond ? [second ?? [], b] : [first, a];
  if (size <= stride) throw tooShort(maxLength);
  const windows: Encoding[] = [];
  for (let at = 0;; at += size - stride) {
    const piece = long.slice(at, at + size);
    windows.push(
      cutSecond ? encodingOf(first, piece, addSpecialTokens) : encodingOf(piece, second?.slice(0, b), addSpecialTokens),
    );
    if (at + size >= long.length) break;
  }
  return windows as [Encoding, ...Encoding[]];
}

/** The opened tokenizer. */
export const tinyWords: Tokenizer = {
  vocabSize: tinyVocabulary.length,
  specialTokenIds: { pad: PAD, unk: UNK, cls: CLS, sep: SEP, mask: MASK },
  paddingSide: "right",
  modelMaxLength: 32,
  fingerprint: "tiny-words",
  encode,
  decode: (list, { skipSpecialTokens = true } = {}) =>
    Array.from(list, (id) => (skipSpecialTokens && id < special.length && id !== UNK ? "" : tinyVocabulary[id] ?? ""))
      .filter((word) => word !== "").join(" "),
  applyChatTemplate: (messages) => {
    let text = "";
    const assistant: [number, number][] = [];
    for (const { role, content } of messages) {
      const start = text.length;
      text += `${String(content)} `;
      if (role === "assistant") assistant.push([start, text.length]);
    }
    return { text, assistant };
  },
};
