/**
 * One text as tokens: ids, offsets and words, before truncation and special tokens.
 * @module
 */
import type { Tokenizer as Library } from "@huggingface/tokenizers";
import { byteStarts, type Normalized, normalizeWithSpans, type Span, spanOf, trimmed, utf8Length } from "./align.ts";

/** Tokens of one text. `special`: a special token that stands in the text itself. */
export type Tokens = Readonly<{ ids: number[]; offsets: Span[]; words: number[] }>;

/** What of tokenizer.json decides how tokens are followed. */
export type Traits = Readonly<
  {
    byteLevel: boolean;
    metaspace: boolean;
    prefix: string;
    trims: boolean;
    /** Whether characters that are not in the vocabulary become tokens of bytes. */
    byteFallback: boolean;
    unk: string | undefined;
    /** Whether blanks go around ideographs. */
    spacesIdeographs: boolean;
  }
>;

type Internals = Readonly<{
  normalizer: ((text: string) => string) | null;
  pre_tokenizer: ((text: string, options?: object) => string[]) | null;
  model: ((tokens: string[]) => string[]) & { tokens_to_ids: Map<string, number>; unk_token_id?: number };
  added_tokens_map: Map<string, { id: number; lstrip: boolean; rstrip: boolean }>;
  splitter_unnormalized: { split(text: string): string[] };
  splitter_normalized: { split(text: string): string[] };
}>;

// BERT puts blanks around ideographs; the library does so only for those of the basic plane.
const farIdeographs = /[\u{20000}-\u{2A6DF}\u{2A700}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu;

/** The ids of one text alone: what needs no places or words is several times as fast. */
export function idsOf(library: Library, traits: Traits, text: string): Tokens {
  const t = library as unknown as Internals & { encode_text(text: string): string[] };
  const spaced = traits.spacesIdeographs ? text.replace(farIdeographs, " $& ") : text;
  const ids = t.encode_text(spaced).map((token) => idOf(t, token));
  return { ids, offsets: [], words: [] };
}

function idOf(t: Internals, token: string): number {
  return t.added_tokens_map.get(token)?.id ?? t.model.tokens_to_ids.get(token) ?? t.model.unk_token_id ?? 0;
}

/** Tokenizes one text. `firstWord`: the number of its first word. */
export function tokensOf(library: Library, traits: Traits, text: string, start = 0, firstWord = 0): Tokens {
  const t = library as unknown as Internals;
  const out: Tokens = { ids: [], offsets: [], words: [] };
  let word = firstWord;
  const push = (token: string, [a, b]: Span, own: number): void => {
    out.ids.push(idOf(t, token));
    const [from, to] = traits.trims ? trimmed(token, [a, b]) : [a, b];
    out.offsets.push([from + start, to + start]);
    out.words.push(own);
  };
  let at = 0;
  const sections = t.splitter_unnormalized.split(text);
  sections.forEach((section, index) => {
    const from = at;
    at += section.length;
    if (section === "") return;
    if (t.added_tokens_map.has(section)) return push(section, [from, at], word++);
    // A special token may swallow the blanks beside it.
    let [own, shift] = [section, 0];
    if (t.added_tokens_map.get(sections[index + 1] ?? "")?.lstrip) own = own.trimEnd();
    if (t.added_tokens_map.get(sections[index - 1] ?? "")?.rstrip) {
      shift = own.length - own.trimStart().length;
      own = own.slice(shift);
    }
    const normalize = t.normalizer;
    const spaced = (x: string): string => (traits.spacesIdeographs ? x.replace(farIdeographs, " $& ") : x);
    const normalized = normalize
      ? normalizeWithSpans(own, from + shift, (x) => normalize(spaced(x)))
      : identity(own, from + shift);
    let place = 0;
    for (const part of t.splitter_normalized.split(normalized.text)) {
      const begin = place;
      place += part.length;
      if (part === "") continue;
      if (t.added_tokens_map.has(part)) {
        push(part, spanOf(normalized, begin, place), word++);
        continue;
      }
      const pieces = t.pre_tokenizer ? t.pre_tokenizer(part, { section_index: index }) : [part];
      const inner: Normalized = { text: part, spans: normalized.spans.slice(begin, place) };
      let cursor = 0;
      for (const piece of pieces) {
        const locate = traits.byteLevel ? inBytes(inner, cursor) : inUnits(inner, piece, cursor, traits.metaspace);
        let unit = 0;
        let bytes = 0;
        for (const token of t.model([piece])) {
          if (traits.byteFallback && byteToken.test(token)) {
            // A character that the vocabulary lacks is one token per byte; the last of them stands for it.
            const code = piece.codePointAt(unit) ?? 0;
            const last = ++bytes === utf8Length(code);
            const next = unit + (last ? (code > 0xffff ? 2 : 1) : 0);
            push(token, locate.span(unit, next), word);
            if (last) [unit, bytes] = [next, 0];
            continue;
          }
          const length = token === traits.unk
            ? piece.length
            : token.length - (unit > 0 && token.startsWith(traits.prefix) ? traits.prefix.length : 0);
          push(token, locate.span(unit, unit + length), word);
          unit += length;
        }
        cursor = locate.end(piece.length);
        word++;
      }
    }
  });
  return out;
}

const byteToken = /^<0x[0-9A-F]{2}>$/;

type Locator = Readonly<{ span(from: number, to: number): Span; end(length: number): number }>;

// Every unit of a byte-level piece is a byte of the text.
function inBytes(text: Normalized, cursor: number): Locator {
  const units = byteStarts(text.text);
  return {
    span: (from, to) => {
      const [a, b] = [units[cursor + from] ?? 0, units[cursor + Math.max(from, to - 1)] ?? 0];
      const last = text.text.codePointAt(b) ?? 0;
      return spanOf(text, a, b + (last > 0xffff ? 2 : 1));
    },
    end: (length) => cursor + length,
  };
}

// Pieces are stretches of the text; Metaspace's blanks may stand for one, or for nothing.
function inUnits(text: Normalized, piece: string, cursor: number, metaspace: boolean): Locator {
  const places: number[] = [];
  let at = cursor;
  if (!metaspace) {
    const found = text.text.indexOf(piece, cursor);
    if (found >= 0) at = found;
  }
  for (const unit of piece) {
    if (metaspace && unit === "▁") {
      places.push(at);
      if (/\s/.test(text.text[at] ?? "") || text.text[at] === "▁") at++;
    } else for (let i = 0; i < unit.length; i++) places.push(at++);
  }
  places.push(at);
  return {
    span: (from, to) => spanOf(text, places[from] ?? at, places[to] ?? at),
    end: () => at,
  };
}

function identity(text: string, from: number): Normalized {
  return { text, spans: Array.from({ length: text.length }, (_, i): Span => [from + i, from + i + 1]) };
}
