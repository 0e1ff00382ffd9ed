/** The pre-tokenizers of tokenizer.json, from texts to pieces with positions. */
import { unsupported } from "../../../core/base/errors.ts";
import type { CharSet } from "../../../core/patterns/node.ts";
import { type Aligned, prependText, replaced, sliceAligned, widthAt } from "./text/aligned.ts";
import { bytesOf, type Definition } from "./normalizers.ts";
import type { Notations } from "./notations.ts";
import { charsOf, type Matcher, matchesOf, patternOf } from "./text/patterns.ts";
import { isNumeric, isPunctuation, isWhitespace, isWord } from "./text/unicode.ts";

/** Splits a text into pieces. */
export type PreTokenizer = (text: Aligned) => readonly Aligned[];

/** How matches of a pattern are treated. */
type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Returns the pre-tokenizer of a definition. Throws AttuneError for an unknown type. */
export function preTokenizerOf(definition: Definition | null | undefined, notations: Notations = {}): PreTokenizer {
  const { readRegex } = notations;
  if (!definition) return (text) => [text];
  const by = (matches: Matcher, behavior: Behavior, invert = false): PreTokenizer => (text) =>
    split(text, matches(text.text), behavior, invert);
  const each = (has: CharSet, behavior: Behavior): PreTokenizer => by(charsOf(has), behavior);
  switch (definition.type) {
    case "Sequence": {
      const steps = (definition.pretokenizers as readonly Definition[]).map((step) => preTokenizerOf(step, notations));
      return (text) => steps.reduce<readonly Aligned[]>((all, step) => all.flatMap((part) => step(part)), [text]);
    }
    case "ByteLevel": {
      const { add_prefix_space: adds, use_regex: cuts = true } = definition;
      const cut = by(patternOf({ Regex: gpt2 }, readRegex), "Isolated");
      return (text) => {
        const prefixed = adds && !text.text.startsWith(" ") ? prependText(text, " ") : text;
        return (cuts ? cut(prefixed) : [prefixed]).map(bytesOf);
      };
    }
    case "Metaspace":
      return metaspace(definition);
    case "Split":
      return by(patternOf(definition.pattern, readRegex), definition.behavior as Behavior, definition.invert === true);
    case "Punctuation":
      return each(isPunctuation, definition.behavior as Behavior ?? "Isolated");
    case "Digits":
      return each(isNumeric, definition.individual_digits === true ? "Isolated" : "Contiguous");
    case "Whitespace":
      return by(words, "Removed", true);
    case "WhitespaceSplit":
      return each(isWhitespace, "Removed");
    case "CharDelimiterSplit":
      return by(matchesOf(String(definition.delimiter)), "Removed");
    case "BertPreTokenizer":
      return bert;
    case "FixedLength":
      return fixedLength(Number(definition.length ?? 5));
    default:
      throw unsupported("hf", "pre_tokenizer.type", definition.type, "the type is unknown");
  }
}

/** Returns runs of word characters, and runs of characters that are neither these nor blanks. */
function words(text: string): number[] {
  const matches: number[] = [];
  let [start, kind] = [0, 0];
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at) ?? 0;
    const category = isWord(code) ? 1 : isWhitespace(code) ? 0 : 2;
    if (category !== kind) {
      if (kind !== 0) matches.push(start, at);
      [start, kind] = [at, category];
    }
    at += code > 0xffff ? 2 : 1;
  }
  if (kind !== 0) matches.push(start, text.length);
  return matches;
}

/** Splits at blanks, which it removes, and around each punctuation mark. */
function bert(a: Aligned): readonly Aligned[] {
  const pieces: Aligned[] = [];
  let start = 0;
  const upTo = (end: number): void => {
    if (end > start) pieces.push(sliceAligned(a, start, end));
  };
  for (let at = 0; at < a.text.length;) {
    const code = a.text.codePointAt(at) ?? 0;
    const end = at + (code > 0xffff ? 2 : 1);
    const alone = isPunctuation(code);
    if (alone || isWhitespace(code)) {
      upTo(at);
      if (alone) pieces.push(sliceAligned(a, at, end));
      start = end;
    }
    at = end;
  }
  upTo(a.text.length);
  return pieces;
}

function metaspace(definition: Definition): PreTokenizer {
  const mark = String(definition.replacement ?? "▁");
  const scheme = definition.add_prefix_space === false ? "never" : definition.prepend_scheme ?? "always";
  const cuts = definition.split !== false;
  const [blanks, marks] = [matchesOf(" "), matchesOf(mark)];
  return (text) => {
    let pieces = mark.length === 1
      ? { ...text, text: text.text.replaceAll(" ", mark) }
      : replaced(text, blanks(text.text), mark);
    const prepends = scheme === "always" || (scheme === "first" && text.from === 0);
    if (prepends && !pieces.text.startsWith(mark)) pieces = prependText(pieces, mark);
    return cuts ? split(pieces, marks(pieces.text), "MergedWithNext") : [pieces];
  };
}

function fixedLength(length: number): PreTokenizer {
  return (a) => {
    const pieces: Aligned[] = [];
    for (let start = 0; start < a.text.length;) {
      let end = start;
      for (let i = 0; i < length && end < a.text.length; i++) end += widthAt(a.text, end);
      pieces.push(sliceAligned(a, start, end));
      start = end;
    }
    return pieces;
  };
}

type Part = { start: number; end: number; match: boolean };

/** Splits into matches (given as start, end, start, end ...; or, inverted, non-matches) and the text between them. */
function split(a: Aligned, matches: readonly number[], behavior: Behavior, invert = false): Aligned[] {
  const parts: Part[] = [];
  let done = 0;
  for (let i = 0; i < matches.length; i += 2) {
    const [start, end] = [matches[i] as number, matches[i + 1] as number];
    if (start > done) parts.push({ start: done, end: start, match: invert });
    parts.push({ start, end, match: !invert });
    done = end;
  }
  if (done < a.text.length) parts.push({ start: done, end: a.text.length, match: invert });
  const pieces: Aligned[] = [];
  for (const { start, end } of merged(parts, behavior)) if (end > start) pieces.push(sliceAligned(a, start, end));
  return pieces;
}

function merged(parts: Part[], behavior: Behavior): readonly Part[] {
  if (behavior === "Isolated") return parts;
  if (behavior === "Removed") return parts.filter((part) => !part.match);
  const backwards = behavior === "MergedWithNext";
  const out: Part[] = [];
  let before = false;
  for (const part of backwards ? parts.reverse() : parts) {
    const last = out.at(-1);
    const joins = behavior === "Contiguous" ? part.match === before : part.match && !before;
    if (!last || !joins) out.push({ ...part });
    else if (backwards) last.start = part.start;
    else last.end = part.end;
    before = part.match;
  }
  return backwards ? out.reverse() : out;
}
