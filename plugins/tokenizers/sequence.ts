/**
 * One text as tokens: ids, offsets and words, before truncation and special tokens.
 * @module
 */
import type { Tokenizer as Library } from "@huggingface/tokenizers";
import { type Aligned, alignedOf, pieces, type Span, spanOf, textOf } from "./aligned.ts";
import { type Definition, type Normalizer, normalizerOf } from "./normalizers.ts";
import { type PreTokenizer, preTokenizerOf } from "./pre_tokenizers.ts";

/** Tokens of one text. `firsts`: their places where they are the first of a window, if that makes a difference. */
export type Tokens = Readonly<{ ids: number[]; offsets: Span[]; words: number[]; firsts?: Span[] }>;

/** What tokenizer.json says of a text's way to tokens. */
export type Steps = Readonly<{
  normalize: Normalizer;
  preTokenize: PreTokenizer;
  /** What pieces of words begin with. */
  prefix: string;
  /** Whether blanks that a token begins or ends with are left out of its place. */
  trims: boolean;
  /** Whether the first token keeps the blank in front of it: one is put before each text. */
  keepsFirst: boolean;
  /** Whether the library's own steps give the same pieces. */
  alike: boolean;
}>;

type Internals = Readonly<{
  model: ((tokens: string[]) => string[]) & { tokens_to_ids: Map<string, number>; unk_token_id?: number };
  added_tokens_map: Map<string, { id: number; lstrip: boolean; rstrip: boolean }>;
  splitter_unnormalized: { split(text: string): string[] };
  splitter_normalized: { split(text: string): string[] };
  encode_text(text: string): string[];
}>;

/** The steps of a tokenizer.json. Throws AttuneError where one is of an unknown kind. */
export function stepsOf(definition: Readonly<Record<string, unknown>>): Steps {
  const text = (part: unknown): string => JSON.stringify(part ?? null);
  const model = definition.model as { type?: string; continuing_subword_prefix?: string };
  const trims = /"trim_offsets":true/.test(text(definition.post_processor));
  return {
    normalize: normalizerOf(definition.normalizer as Definition | null),
    preTokenize: preTokenizerOf(definition.pre_tokenizer as Definition | null),
    prefix: model.continuing_subword_prefix ?? (model.type === "WordPiece" ? "##" : "\u0000"),
    trims,
    keepsFirst: trims && /"add_prefix_space":true/.test(text(definition.post_processor)),
    alike: !/"Precompiled"|"Digits"/.test(text([definition.normalizer, definition.pre_tokenizer])),
  };
}

/** BERT puts blanks around ideographs, JavaScript's \s has a byte order mark, normal forms differ: where the library goes another way. */
const unlike = /[\u{20000}-\u{2FA1F}\uFEFF\u0085]|\p{M}/u;

/** The ids of one text alone: what needs no places or words is several times as fast. */
export function idsOf(library: Library, steps: Steps, text: string): Tokens {
  if (!steps.alike || unlike.test(text)) return { ...tokensOf(library, steps, text), offsets: [], words: [] };
  const t = library as unknown as Internals;
  return { ids: t.encode_text(text).map((token) => idOf(t, token)), offsets: [], words: [] };
}

function idOf(t: Internals, token: string): number {
  return t.added_tokens_map.get(token)?.id ?? t.model.tokens_to_ids.get(token) ?? t.model.unk_token_id ?? 0;
}

/** Tokenizes one text. */
export function tokensOf(library: Library, steps: Steps, text: string): Tokens {
  const t = library as unknown as Internals;
  const out: Tokens = { ids: [], offsets: [], words: [], ...(steps.keepsFirst ? { firsts: [] } : {}) };
  let word = 0;
  const push = (token: string, place: Span, own: number, read = token): void => {
    const bare = steps.trims ? trimmed(read, place) : place;
    const first = trimmed(read, place, 1);
    out.ids.push(idOf(t, token));
    out.offsets.push(steps.keepsFirst && place[0] === 0 ? first : bare);
    out.firsts?.push(first);
    out.words.push(own);
  };
  let at = 0;
  const sections = t.splitter_unnormalized.split(text);
  sections.forEach((section, index) => {
    const from = at;
    at += section.length;
    if (section === "") return;
    const added = t.added_tokens_map.get(section);
    if (added) {
      const [before, behind] = [sections[index - 1] ?? "", sections[index + 1] ?? ""];
      const start = added.lstrip ? from - (before.length - before.trimEnd().length) : from;
      const end = added.rstrip ? at + behind.length - behind.trimStart().length : at;
      return push(section, [start, end], word++, text.slice(start, end));
    }
    // A special token may swallow the blanks beside it.
    let [own, shift] = [section, 0];
    if (t.added_tokens_map.get(sections[index + 1] ?? "")?.lstrip) own = own.trimEnd();
    if (t.added_tokens_map.get(sections[index - 1] ?? "")?.rstrip) {
      shift = own.length - own.trimStart().length;
      own = own.slice(shift);
    }
    const normalized = steps.normalize(alignedOf(own, from + shift));
    pieces(normalized, (x) => t.splitter_normalized.split(x)).forEach((part, k) => {
      const string = textOf(part);
      if (t.added_tokens_map.has(string)) return push(string, spanOf(part, 0, part.chars.length), word++);
      for (const piece of steps.preTokenize(part, k === 0 && (part.spans[0]?.[0] ?? 0) === 0)) {
        if (piece.chars.length === 0) continue;
        const tokens = t.model([textOf(piece)]);
        placesOf(tokens, piece, steps.prefix).forEach((place, i) => push(tokens[i] ?? "", place, word));
        word++;
      }
    });
  });
  return out;
}

/** Where each token of a piece stands: tokens are stretches of it, bytes of one of its characters, or unknown. */
function placesOf(tokens: readonly string[], piece: Aligned, prefix: string): Span[] {
  const text = textOf(piece);
  const charAt: number[] = [];
  piece.chars.forEach((char, i) => {
    for (let k = 0; k < char.length; k++) charAt.push(i);
  });
  charAt.push(piece.chars.length);
  let unit = 0;
  const bare = (i: number): string => {
    const token = tokens[i] ?? "";
    return i > 0 && token.startsWith(prefix) ? token.slice(prefix.length) : token;
  };
  let bytesLeft = 0;
  return tokens.map((_, i): Span => {
    const token = bare(i);
    const char = charAt[unit] ?? piece.chars.length;
    if (token !== "" && text.startsWith(token, unit)) {
      const end = unit + token.length;
      const place = spanOf(piece, char, charAt[end] ?? piece.chars.length);
      unit = end;
      return place;
    }
    if (/^<0x[0-9A-F]{2}>$/.test(token)) {
      const own = piece.chars[char] ?? "";
      if (bytesLeft === 0) bytesLeft = new TextEncoder().encode(own).length;
      const place = spanOf(piece, char, char + 1);
      if (--bytesLeft === 0) unit += own.length;
      return place;
    }
    // Unknown: up to where the next known token begins.
    const next = tokens.findIndex((_, k) => k > i && text.indexOf(bare(k), unit + 1) >= 0);
    const end = next < 0 ? text.length : Math.max(unit + 1, text.indexOf(bare(next), unit + 1));
    const place = spanOf(piece, char, charAt[end] ?? piece.chars.length);
    unit = end;
    return place;
  });
}

/**
 * The place without the blanks that a byte-level token begins or ends with; other blanks are parts of characters. `added`:
 * so many of those in front are no part of the text.
 */
function trimmed(token: string, [start, end]: Span, added = 0): Span {
  const leading = /^[Ġ\s]*/.exec(token)?.[0].length ?? 0;
  const trailing = /[Ġ\s]*$/.exec(token)?.[0].length ?? 0;
  // A blank that was added, alone, has the place of the first character, however many units that has.
  if (added === 1 && leading === 1 && token.length === 1) return [start, start];
  const from = Math.min(start + Math.max(0, leading - added), end);
  return [from, end >= trailing ? Math.max(end - trailing, from) : end];
}
