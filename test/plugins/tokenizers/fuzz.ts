/** Random texts with random tokenizers, the same that test/fixtures/tokenizer_fuzz.py makes from the same seeds. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { AttuneError } from "../../../core/base/errors.ts";
import type { Tokenizer } from "../../../core/types.ts";
import { alignedOf } from "../../../plugins/tokenizers/hf/text/aligned.ts";
import { codePointOffsets } from "../../../blocks/tokenizer/mod.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { byteChars, normalizerOf } from "../../../plugins/tokenizers/hf/normalizers.ts";
import { notationsIn } from "../../../plugins/tokenizers/hf/notations.ts";
import { heldStore } from "../../tiny.ts";

type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
type Parts = { readonly [key: string]: Value };

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), "utf8"));
const grammar = read("tokenizer_fuzz_grammar.json") as Readonly<
  { chars: readonly string[]; strings: readonly string[]; blanks: string; grammar: Parts }
>;
const [TOKENIZERS, TEXTS] = [40, 25];
const BYTES = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`);

/** What Python's library made of them. `first`: the first results of batch 0 in full. */
export const expected = read("tokenizer_fuzz.json") as Readonly<
  { library: string; pairs: number; first: readonly string[]; hashes: readonly string[] }
>;

type Random = ReturnType<typeof randomOf>;

function randomOf(seed: number) {
  let state = seed >>> 0;
  const below = (n: number): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad) >>> 0;
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97) >>> 0;
    return Math.floor((((z ^ (z >>> 15)) >>> 0) * n) / 2 ** 32);
  };
  const pick = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  const char = (): string => {
    const kind = below(16);
    if (kind < 11) return pick(grammar.chars);
    if (kind < 14) return String.fromCharCode(97 + below(5));
    const code = below(kind === 14 ? 0x3000 : 0x10f800);
    return String.fromCodePoint(code >= 0xd800 ? code + 0x800 : code);
  };
  const some = <T>(least: number, most: number, make: () => T): T[] => {
    const count = least + below(most - least + 1);
    return Array.from({ length: count }, make);
  };
  const chars = (least: number, most: number): string => some(least, most, char).join("");
  const make = (node: Value): Value => {
    if (Array.isArray(node)) return node.map(make);
    if (typeof node !== "object" || node === null) return node;
    const { $pick, $ref, $chars, $some } = node as Parts;
    if ($pick) return make(pick($pick as readonly Value[]));
    if ($ref) return make(grammar.grammar[String($ref)] ?? null);
    if ($chars) return chars(...$chars as [number, number]);
    if ($some) {
      const [least, most, of] = $some as [number, number, Value];
      return some(least, most, () => make(of));
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, make(value)]));
  };
  return { below, pick, char, chars, make };
}

function modelOf(r: Random): Readonly<{ model: Parts; tokens: readonly string[] }> {
  const known = new Set(["[UNK]", "[CLS]", "[SEP]", "[PAD]"]);
  const tokens = [...known];
  const add = (token: string): boolean => {
    if (known.has(token)) return false;
    known.add(token);
    tokens.push(token);
    return true;
  };
  const ids = (): Parts => Object.fromEntries(tokens.map((token, i) => [token, i]));
  const alphabet = r.below(2) === 0 ? [...byteChars] : [];
  for (let left = 10 + r.below(40); left > 0; left--) alphabet.push(r.char());
  const kind = r.below(4);
  if (kind === 0) return bytePairs(r, alphabet, tokens, add, ids);
  const words: string[] = [];
  for (let left = r.below(60); left > 0; left--) {
    let word = "";
    for (let more = 2 + r.below(3); more > 0; more--) word += r.pick(alphabet);
    words.push(word);
  }
  if (kind === 1) {
    for (const token of [...alphabet, ...words]) {
      if (r.below(4) > 0) add(token);
      if (r.below(4) > 0) add(`##${token}`);
    }
    const most = r.pick([100, 10, 4]);
    const own = { unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: most };
    return { model: { type: "WordPiece", ...own, vocab: ids() }, tokens };
  }
  if (kind === 2) {
    for (const token of [...alphabet, ...words]) add(token);
    return { model: { type: "WordLevel", unk_token: "[UNK]", vocab: ids() }, tokens };
  }
  const fallback = r.below(3) === 0;
  for (const token of [...fallback ? BYTES : [], "\u2581", ...alphabet, ...words]) add(token);
  const vocab = tokens.map((token): Value => [token, -(r.below(40) / 4)]);
  return { model: { type: "Unigram", unk_id: 0, vocab, byte_fallback: fallback }, tokens };
}

function bytePairs(
  r: Random,
  alphabet: readonly string[],
  tokens: readonly string[],
  add: (token: string) => boolean,
  ids: () => Parts,
): Readonly<{ model: Parts; tokens: readonly string[] }> {
  const [prefix, suffix] = [r.pick([null, null, "##"]), r.pick([null, null, "</w>"])];
  const own = {
    unk_token: r.pick([null, "[UNK]"]),
    continuing_subword_prefix: prefix,
    end_of_word_suffix: suffix,
    fuse_unk: r.below(2) === 0,
    // Bytes of what is put around a character have no places in the text: what the library says of them is nonsense.
    byte_fallback: r.below(3) === 0 && !prefix && !suffix,
    ignore_merges: r.below(3) === 0,
  };
  if (own.byte_fallback) { for (const byte of BYTES) add(byte); }
  const first = tokens.length;
  for (const char of alphabet) {
    add(char);
    if (prefix) add(prefix + char);
    if (suffix) add(char + suffix);
    if (prefix && suffix) add(prefix + char + suffix);
  }
  const right = tokens.slice(first).filter((token) => !prefix || token.startsWith(prefix));
  const merges: [string, string][] = [];
  const seen = new Set<string>();
  for (let left = r.below(60); left > 0; left--) {
    const a = tokens[first + r.below(tokens.length - first)] as string;
    const b = r.pick(right);
    const made = a + b.slice((prefix ?? "").length);
    const key = JSON.stringify([a, b]);
    if (seen.has(key) || made.length > 8) continue;
    seen.add(key);
    merges.push([a, b]);
    if (add(made) && (!prefix || made.startsWith(prefix))) right.push(made);
  }
  return { model: { type: "BPE", dropout: null, ...own, vocab: ids(), merges }, tokens };
}

type Added = Readonly<{ id: number; content: string; normalized: boolean; lstrip: boolean }>;
type Definition = Parts & Readonly<{ added_tokens: readonly Added[] }>;

function tokenizerOf(r: Random): Readonly<{ definition: Definition; tokens: readonly string[] }> {
  const { model, tokens } = modelOf(r);
  const ids = new Map(tokens.map((token, i) => [token, i]));
  const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const added: Added[] = tokens.slice(0, 4).map((content, id) => ({ id, content, ...special }));
  for (const token of r.make(grammar.grammar.addeds ?? null) as unknown as readonly Omit<Added, "id">[]) {
    if (added.some((other) => other.content === token.content)) continue;
    if (!ids.has(token.content)) ids.set(token.content, ids.size);
    // The library panics where blanks that one token has taken begin another which takes those in front.
    const lstrip = token.lstrip && !grammar.blanks.includes(token.content[0] ?? "");
    added.push({ id: ids.get(token.content) ?? 0, ...token, lstrip });
  }
  const part = (name: string): Value => r.make(grammar.grammar[name] ?? null);
  return {
    tokens,
    definition: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: part("normalizers"),
      pre_tokenizer: part("pre_tokenizers"),
      post_processor: part("post_processor"),
      decoder: part("decoders"),
      model,
    },
  };
}

function textOf(r: Random, definition: Definition, tokens: readonly string[]): string {
  let text = "";
  for (let left = r.below(10); left > 0; left--) {
    const kind = r.below(8);
    if (kind < 3) text += r.chars(1, 4);
    else if (kind < 5) text += r.pick(tokens);
    else if (kind === 5) text += r.pick(definition.added_tokens).content;
    else text += kind === 6 ? " " : r.pick(grammar.strings);
  }
  return text;
}

/** One pair: the tokenizer, what it was given and what it made of it. */
export type Pair = Readonly<{ definition: unknown; given: unknown; result: string }>;

function pairOf(made: Tokenizer, r: Random, definition: Definition, tokens: readonly string[]): Pair {
  const mode = r.below(6);
  const [one, two] = [textOf(r, definition, tokens), textOf(r, definition, tokens)];
  const words: string[] = [];
  for (let left = r.below(4); left > 0; left--) words.push(textOf(r, definition, tokens));
  const skipSpecialTokens = r.below(2) === 0;
  const text = mode < 4 ? one : words;
  const pair = mode === 3 ? two : mode === 5 ? [one] : undefined;
  const given = { text, pair, addSpecialTokens: mode !== 2, skipSpecialTokens };
  try {
    const [e] = made.encode(text, {
      ...pair === undefined ? {} : { textPair: pair },
      addSpecialTokens: mode !== 2,
      typeIds: true,
    });
    const offsets: number[] = [];
    e.ids.forEach((_, i) => {
      const own = e.sequenceIds[i] === 1 ? pair : text;
      const string = typeof own === "string" ? own : own?.[e.wordIds[i] ?? 0] ?? "";
      offsets.push(...codePointOffsets(string, e.offsets.subarray(2 * i, 2 * i + 2)));
    });
    const decoded = made.decode(e.ids, { skipSpecialTokens });
    const lists = [[...e.ids], offsets, [...e.typeIds], [...e.specialTokensMask], [...e.wordIds]];
    return { definition, given, result: escaped([...lists, decoded]) };
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
    return { definition, given, result: JSON.stringify(["error"]) };
  }
}

/** JSON as Python writes it: lone halves of pairs do not occur, what is not printable is escaped as there. */
function escaped(value: unknown): string {
  return JSON.stringify(value).replaceAll("\u007f", "\u007f");
}

/** Whether added tokens are nothing once normalized, for which the library loops for ever, or one of them is another. */
async function loops({ added_tokens: added, normalizer }: Definition): Promise<boolean> {
  const normalize = normalizerOf(normalizer as Parts | null, await notationsIn(normalizer));
  const found = added.filter((token) => token.normalized).map((token) => normalize(alignedOf(token.content)).text);
  return found.includes("") || new Set(found).size < found.length;
}

/** A batch of pairs. */
export async function batchOf(number: number): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let i = 0; i < TOKENIZERS; i++) {
    const r = randomOf(number * 1000 + i);
    const { definition, tokens } = tokenizerOf(r);
    const files = heldStore({ "tokenizer.json": new TextEncoder().encode(JSON.stringify(definition)) });
    let made: Tokenizer | undefined;
    try {
      if (!await loops(definition)) made = await hf().open(files);
    } catch (error) {
      if (!(error instanceof AttuneError)) throw error;
    }
    for (let k = 0; k < TEXTS; k++) {
      if (made) pairs.push(pairOf(made, r, definition, tokens));
      else pairs.push({ definition, given: undefined, result: JSON.stringify(["refused"]) });
    }
  }
  return pairs;
}

/** The hash of a batch, as the fixture has it. */
export function hashOf(pairs: readonly Pair[]): string {
  return createHash("sha256").update(pairs.map((pair) => pair.result).join("\n")).digest("hex").slice(0, 16);
}
