/** Hugging Face's tokenizer call: texts, pairs, words or conversations to padded encodings; options in camelCase. */
import * as v from "valibot";
import { badValue, missing, tooMuch } from "../../core/base/errors.ts";
import type { EncodeOptions, Encoding, Json, Named, Tokenizer } from "../../core/types.ts";
import { codePointOffsets } from "../../blocks/tokenizer/mod.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1));
const flag = (value: boolean) => v.optional(v.boolean(), value);

/** The unit of offsets: UTF-16 units, as in JavaScript's `slice`, or code points, as in Python. */
const offsetUnit = v.picklist(["utf16", "codepoint"]);

/** Options of a tokenizer call. */
const tokenizeOptionsSchema = v.strictObject({
  addSpecialTokens: v.optional(v.boolean()),
  padding: v.optional(v.union([v.boolean(), v.picklist(["longest", "max_length", "do_not_pad"])]), false),
  truncation: v.optional(
    v.union([v.boolean(), v.picklist(["longest_first", "only_first", "only_second", "do_not_truncate"])]),
  ),
  maxLength: v.optional(count),
  stride: v.optional(count, 0),
  isSplitIntoWords: flag(false),
  padToMultipleOf: v.optional(v.pipe(count, v.minValue(1), v.maxValue(2 ** 16))),
  paddingSide: v.optional(v.picklist(["left", "right"])),
  /** Default: if the tokenizer's models read them. */
  returnTokenTypeIds: v.optional(v.boolean()),
  returnAttentionMask: flag(true),
  returnOverflowingTokens: flag(false),
  returnSpecialTokensMask: flag(false),
  returnOffsetsMapping: flag(true),
  returnLength: flag(false),
  offsetUnit: v.optional(offsetUnit, "utf16"),
  /** For conversations: adds the beginning of the assistant's turn. */
  addGenerationPrompt: flag(false),
  /** For conversations: special tokens in the text of messages are encoded as such. Otherwise they are an error. */
  allowSpecialTokens: flag(false),
  /** For conversations: returns which tokens the assistant says. */
  returnAssistantTokensMask: flag(false),
});

const message = v.looseObject({ role: v.string(), content: v.optional(v.unknown()) });
const texts = v.union([v.string(), v.array(v.string()), v.array(v.array(v.string()))]);

/** A request to tokenize: the texts and the options. */
export const tokenizeSchema = v.strictObject({
  tokenizer: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
  input: v.union([
    v.string(),
    v.array(v.string()),
    v.array(v.array(v.string())),
    v.array(message),
    v.array(v.array(message)),
  ], "a text, several, words of a text (isSplitIntoWords), or messages of { role, content } are expected"),
  pair: v.optional(texts),
  /** For conversations: functions that the assistant may call, in the template's format. */
  tools: v.optional(v.array(v.unknown())),
  options: v.optional(tokenizeOptionsSchema, {}),
  /** Also accepted here, since it is none of transformers' options. */
  offsetUnit: v.optional(offsetUnit),
});

/** A checked call. */
export type TokenizeCall = v.InferOutput<typeof tokenizeSchema>;
type Options = TokenizeCall["options"];

/** One encoding as JSON. */
export type EncodingJson = {
  inputIds: number[];
  attentionMask?: number[];
  tokenTypeIds?: number[];
  specialTokensMask?: number[];
  assistantMasks?: number[];
  offsets?: [number, number][];
  /** The word of each token; null for special tokens. */
  wordIds: (number | null)[];
  /** The text of each token: 0, or 1 for the pair; null for special tokens. */
  sequenceIds: (number | null)[];
  length?: number;
  /** The conversation's text as the template has written it. */
  text?: string;
  /** The further windows of the text. */
  overflowing?: EncodingJson[];
};

/** One text of a call: the text or its words, its pair, and for a conversation what the assistant says. */
type Text = Readonly<{
  text: string | readonly string[];
  pair?: string | readonly string[];
  chat?: Readonly<{ text: string; assistant: readonly (readonly [number, number])[] }>;
}>;

/** Returns the number of texts in a call. */
export function inputsOf({ input, options }: TokenizeCall): number {
  if (typeof input === "string") return 1;
  return isBatch(input, options) ? input.length : 1;
}

/**
 * Encodes a call's texts: one encoding for each, padded together.
 *
 * @throws AttuneError that names the option, if options contradict each other or the tokenizer.
 */
export function tokenize(tokenizer: Tokenizer, call: TokenizeCall, maxPlaces = Infinity): EncodingJson[] {
  const options = { ...call.options, offsetUnit: call.offsetUnit ?? call.options.offsetUnit };
  const all = textsOf(tokenizer, call, maxPlaces);
  const chats = all.some((text) => text.chat);
  if (!chats) {
    for (const name of ["addGenerationPrompt", "allowSpecialTokens", "returnAssistantTokensMask"] as const) {
      if (options[name]) throw badValue("tokenize", `options.${name}`, true, "messages as input");
    }
  }
  const encode: EncodeOptions = {
    ...lengthsOf(tokenizer, options),
    stride: options.stride,
    returnOverflowingTokens: options.returnOverflowingTokens,
    offsets: true,
    typeIds: true,
    // Chat templates write special tokens themselves.
    addSpecialTokens: options.addSpecialTokens ?? !chats,
  };
  const within = (places: number): void => {
    if (places > maxPlaces) throw tooMuch("tokenize", "input", "places of all encodings together", places, maxPlaces);
  };
  // The size of padded encodings and overlapping windows is known before they are made.
  if (options.padding === "max_length") within(all.length * paddedLength(tokenizer, options, []));
  if (encode.returnOverflowingTokens) within(all.reduce((n, text) => n + windowPlaces(text, encode), 0) / WINDOW_SLACK);
  let places = 0;
  const windows = all.map((text) => {
    const encoding = tokenizer.encode(text.text, text.pair === undefined ? encode : { ...encode, textPair: text.pair });
    for (const { ids } of encoding) places += ids.length;
    within(places);
    return encoding;
  });
  const to = paddedLength(tokenizer, options, windows.flat());
  within(windows.flat().reduce((n, { ids }) => n + Math.max(to, ids.length), 0));
  return windows.map((window, i) => {
    const text = all[i] as Text;
    const [first, ...rest] = window.map((encoding) => jsonOf(tokenizer, options, encoding, text, to)) as [
      EncodingJson,
      ...EncodingJson[],
    ];
    return {
      ...first,
      ...(text.chat ? { text: text.chat.text } : {}),
      ...(options.returnOverflowingTokens ? { overflowing: rest } : {}),
    };
  });
}

/** Characters per token, about: windows are estimated from characters before there are tokens. */
const WINDOW_SLACK = 4;

/** Returns the places of a text's windows if each character were a token. */
function windowPlaces({ text, pair = "" }: Text, { truncation, maxLength, stride = 0 }: EncodeOptions): number {
  const length = [text, pair].flat().reduce((n, part) => n + part.length, 0);
  if (truncation === false || maxLength === undefined) return length;
  return Math.ceil(length / Math.max(1, maxLength - stride - SPECIALS)) * maxLength;
}

/** Number of special tokens in a window, about. */
const SPECIALS = 4;

function isBatch(input: readonly unknown[], { isSplitIntoWords }: Options): boolean {
  const [first] = input;
  if (isSplitIntoWords) return Array.isArray(first);
  return typeof first === "string" || Array.isArray(first) || first === undefined;
}

function textsOf(tokenizer: Tokenizer, { input, pair, tools, options }: TokenizeCall, maxPlaces: number): Text[] {
  let written = 0;
  const wrong = (path: string, allowed: string) => badValue("tokenize", path, path === "input" ? input : pair, allowed);
  const words = options.isSplitIntoWords;
  const inner = (value: unknown): value is readonly unknown[] => Array.isArray(value);
  const isText = (value: unknown): value is string | readonly string[] =>
    words ? inner(value) && value.every((w) => typeof w === "string") : typeof value === "string";
  if (isText(input)) {
    if (pair !== undefined && !isText(pair)) throw wrong("pair", words ? "words" : "a text, as input is");
    // As in transformers, an empty pair counts as none for a single text, but not in a list.
    return [pair === undefined || pair.length === 0 ? { text: input } : { text: input, pair }];
  }
  if (typeof input === "string") throw wrong("input", "words (isSplitIntoWords)");
  const list: readonly unknown[] = isBatch(input, options) ? input : [input];
  if (list.every(isText)) {
    if (pair === undefined) return list.map((text) => ({ text }));
    if (!inner(pair) || pair.length !== list.length || !pair.every(isText)) {
      throw wrong("pair", `as many as input has: ${list.length}`);
    }
    return list.map((text, i) => ({ text, pair: pair[i] as string | readonly string[] }));
  }
  if (words || !list.every((chat) => inner(chat) && chat.every((m) => typeof m === "object"))) {
    throw wrong("input", words ? "words, or several lists of them" : "texts, or messages");
  }
  if (pair !== undefined) throw wrong("pair", "nothing beside messages");
  return (list as readonly Named<Json>[][]).map((messages) => {
    if (options.returnAssistantTokensMask && messages.length > MOST_TURNS) {
      throw badValue("tokenize", "input", messages.length, `at most ${MOST_TURNS} messages for an assistant's mask`);
    }
    const chat = tokenizer.applyChatTemplate(messages, {
      addGenerationPrompt: options.addGenerationPrompt,
      refuseSpecialTokens: !options.allowSpecialTokens,
      ...(tools ? { tools: tools as readonly Json[] } : {}),
    });
    // Templates are programs, whose output may be longer than their input.
    written += chat.text.length;
    if (written > CHARACTERS * maxPlaces) {
      throw tooMuch("tokenize", "input", "characters of all conversations", written, CHARACTERS * maxPlaces);
    }
    return { text: chat.text, chat };
  });
}

/** Decides the truncation and its length as transformers does: a length alone truncates, unless texts are padded. */
function lengthsOf(tokenizer: Tokenizer, options: Options): Pick<EncodeOptions, "truncation" | "maxLength"> {
  const { truncation, maxLength, padding } = options;
  const strategy = truncation ?? (maxLength !== undefined && padding === false ? "longest_first" : false);
  if (strategy === false || strategy === "do_not_truncate") return { truncation: false };
  const most = maxLength ?? tokenizer.modelMaxLength;
  return most === undefined ? { truncation: false } : { truncation: strategy, maxLength: most };
}

function paddedLength(tokenizer: Tokenizer, options: Options, encodings: readonly Encoding[]): number {
  const { padding, maxLength, padToMultipleOf: multiple = 1 } = options;
  if (padding === false || padding === "do_not_pad") return 0;
  if (tokenizer.specialTokenIds.pad === undefined) throw missing("tokenize", "a padding token", "options.padding");
  const most = maxLength ?? tokenizer.modelMaxLength;
  if (padding === "max_length" && most === undefined) throw missing("tokenize", "a length", "options.maxLength");
  const longest = padding === "max_length" ? most ?? 0 : encodings.reduce((n, e) => Math.max(n, e.ids.length), 0);
  const to = Math.ceil(longest / multiple) * multiple;
  if (to > MOST) throw badValue("tokenize", "options.maxLength", to, `at most ${MOST} places to pad to`);
  return to;
}

/** Characters of conversations per place that encodings may have. */
const CHARACTERS = 16;

/** Most turns: finding what the assistant says takes time that is quadratic in their number. */
const MOST_TURNS = 256;

/** Most places of padded encodings, whatever is requested, because padding makes responses grow. */
const MOST = 2 ** 17;

function jsonOf(tokenizer: Tokenizer, options: Options, encoding: Encoding, text: Text, to: number): EncodingJson {
  const side = options.paddingSide ?? tokenizer.paddingSide;
  const pads = Math.max(0, to - encoding.ids.length);
  const padded = <T>(values: Iterable<T>, fill: T): T[] => {
    const fills = Array.from({ length: pads }, () => fill);
    return side === "left" ? [...fills, ...values] : [...values, ...fills];
  };
  const nullWhereNegative = (values: Int32Array): (number | null)[] =>
    padded(Array.from(values, (n) => (n < 0 ? null : n)), null);
  const pairs = (values: ArrayLike<number>): [number, number][] =>
    Array.from({ length: values.length / 2 }, (_, i) => [values[2 * i] ?? 0, values[2 * i + 1] ?? 0]);
  const { ids, typeIds, specialTokensMask, wordIds, sequenceIds } = encoding;
  const json: EncodingJson = {
    inputIds: padded(ids, tokenizer.specialTokenIds.pad ?? 0),
    wordIds: nullWhereNegative(wordIds),
    sequenceIds: nullWhereNegative(sequenceIds),
  };
  if (options.returnAttentionMask) json.attentionMask = padded(Array.from(ids, () => 1), 0);
  if (options.returnTokenTypeIds ?? tokenizer.typeIds ?? true) json.tokenTypeIds = padded(typeIds, 0);
  if (options.returnSpecialTokensMask) json.specialTokensMask = padded(specialTokensMask, 1);
  if (options.returnOffsetsMapping) json.offsets = padded(pairs(offsetsOf(encoding, text, options)), [0, 0]);
  if (options.returnLength) json.length = json.inputIds.length;
  if (options.returnAssistantTokensMask) {
    const said = text.chat?.assistant ?? [];
    const mask = pairs(encoding.offsets).map(([start, end]) =>
      said.some(([from, upTo]) => start < upTo && end > from && end > start) ? 1 : 0
    );
    json.assistantMasks = padded(mask, 0);
  }
  return json;
}

/** Converts offsets of tokens within their text or word to the requested unit. */
function offsetsOf(encoding: Encoding, text: Text, { offsetUnit }: Options): ArrayLike<number> {
  if (offsetUnit === "utf16") return encoding.offsets;
  const converted = new Int32Array(encoding.offsets.length);
  // Tokens of one text, or of one of its words, are converted together.
  const groups = new Map<string, { source: string; places: number[] }>();
  encoding.sequenceIds.forEach((sequence, i) => {
    if (sequence < 0) return;
    const whole = sequence === 1 ? text.pair ?? "" : text.text;
    const word = encoding.wordIds[i] ?? 0;
    const key = typeof whole === "string" ? String(sequence) : `${sequence}:${word}`;
    const group = groups.get(key) ?? { source: typeof whole === "string" ? whole : whole[word] ?? "", places: [] };
    group.places.push(2 * i, 2 * i + 1);
    groups.set(key, group);
  });
  for (const { source, places } of groups.values()) {
    const points = codePointOffsets(source, places.map((place) => encoding.offsets[place] ?? 0));
    places.forEach((place, k) => (converted[place] = points[k] ?? 0));
  }
  return converted;
}

/** A request to decode ids. */
export const detokenizeSchema = v.strictObject({
  tokenizer: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
  inputIds: v.union(
    [v.array(count), v.array(v.array(count))],
    "token ids (whole numbers from 0), or several lists of them, are expected",
  ),
  skipSpecialTokens: flag(false),
});

/**
 * Decodes a list of ids to a text, or several lists to texts.
 *
 * @throws AttuneError if an id is not in the vocabulary.
 */
export function detokenize(
  tokenizer: Tokenizer,
  { inputIds, skipSpecialTokens }: v.InferOutput<typeof detokenizeSchema>,
): string | string[] {
  const one = (ids: readonly number[]): string => {
    const unknown = ids.find((id) => id >= tokenizer.vocabSize);
    if (unknown !== undefined) throw badValue("tokenize", "inputIds", unknown, `ids below ${tokenizer.vocabSize}`);
    return tokenizer.decode(ids, { skipSpecialTokens });
  };
  return inputIds.every((ids) => typeof ids === "number")
    ? one(inputIds as readonly number[])
    : (inputIds as readonly number[][]).map(one);
}
