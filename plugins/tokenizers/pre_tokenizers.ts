/**
 * The pre-tokenizers of tokenizer.json: texts to pieces, each with its places.
 * @module
 */
import { unsupported } from "../../core/errors.ts";
import { type Aligned, prepended, replaced, sliced, textOf } from "./aligned.ts";
import { bytesOf, type Definition } from "./normalizers.ts";
import type { Pattern } from "../../core/linear_pattern.ts";
import { patternOf } from "./patterns.ts";

/** One text to its pieces. `isFirst`: whether the whole text begins with it. */
export type PreTokenizer = (text: Aligned, isFirst: boolean) => readonly Aligned[];

/** What becomes of what a pattern matches. */
type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

const gpt2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const punctuation = /[!-/:-@[-`{-~]|\p{P}/gu;

/** A pre-tokenizer by its definition. Throws AttuneError where its type is not known. */
export function preTokenizerOf(definition: Definition | null | undefined): PreTokenizer {
  if (!definition) return (text) => [text];
  const by = (pattern: Pattern, behavior: Behavior): PreTokenizer => (text) => split(text, pattern, behavior);
  switch (definition.type) {
    case "Sequence": {
      const steps = (definition.pretokenizers as readonly Definition[]).map(preTokenizerOf);
      return (text, isFirst) =>
        steps.reduce<readonly Aligned[]>((all, step) => all.flatMap((t, i) => step(t, isFirst && i === 0)), [text]);
    }
    case "ByteLevel": {
      const { add_prefix_space: adds, use_regex: cuts = true } = definition;
      return (text) => {
        const own = adds && text.chars[0] !== " " ? prepended(text, " ") : text;
        return (cuts ? split(own, gpt2, "Isolated") : [own]).map(bytesOf);
      };
    }
    case "Metaspace":
      return metaspace(definition);
    case "Split":
      if (definition.invert === true) {
        const pattern = patternOf(definition.pattern);
        return (text) => split(text, pattern, "Removed", true);
      }
      return by(patternOf(definition.pattern), definition.behavior as Behavior);
    case "Punctuation":
      return by(punctuation, definition.behavior as Behavior ?? "Isolated");
    case "Digits":
      return by(/\p{N}/gu, definition.individual_digits === true ? "Isolated" : "Contiguous");
    case "Whitespace":
      return (text) => split(text, /\w+|[^\w\p{White_Space}]+/gu, "Removed", true, unicodeWords);
    case "WhitespaceSplit":
      return by(/\p{White_Space}/gu, "Removed");
    case "CharDelimiterSplit":
      return by(patternOf({ String: definition.delimiter }), "Removed");
    case "BertPreTokenizer":
      return (text) => split(text, /\p{White_Space}/gu, "Removed").flatMap((t) => split(t, punctuation, "Isolated"));
    default:
      throw unsupported("hf", "pre_tokenizer.type", definition.type, "this kind of pre-tokenizer is not known");
  }
}

/** Oniguruma's \w knows all letters, marks, digits and connectors. */
const unicodeWords =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

function metaspace(definition: Definition): PreTokenizer {
  const mark = String(definition.replacement ?? "▁");
  const scheme = definition.prepend_scheme ?? (definition.add_prefix_space === false ? "never" : "always");
  const cuts = definition.split !== false;
  return (text, isFirst) => {
    let own = replaced(text, / /gu, mark);
    const prepends = scheme === "always" || (scheme === "first" && isFirst);
    if (prepends && own.chars[0] !== mark) own = prepended(own, mark);
    return cuts ? split(own, patternOf({ String: mark }), "MergedWithNext") : [own];
  };
}

/** Stretches that match (or, inverted, do not) and those between them. `pattern` may be given anew, as `other`. */
function split(text: Aligned, pattern: Pattern, behavior: Behavior, invert = false, other = pattern): Aligned[] {
  const string = textOf(text);
  const parts: { start: number; end: number; match: boolean }[] = [];
  let done = 0;
  const add = (start: number, end: number, match: boolean): void => {
    if (end > start) parts.push({ start, end, match: match !== invert });
  };
  for (const match of other[Symbol.matchAll](string)) {
    add(done, match.index, false);
    done = match.index + match[0].length;
    add(match.index, done, true);
  }
  add(done, string.length, false);
  const merged: { start: number; end: number; match: boolean }[] = [];
  parts.forEach((part, i) => {
    const last = merged.at(-1);
    const before = parts[i - 1];
    const joins = behavior === "Contiguous"
      ? before !== undefined && before.match === part.match
      : behavior === "MergedWithPrevious"
      ? part.match && before !== undefined && !before.match
      : behavior === "MergedWithNext"
      ? before !== undefined && before.match && !part.match
      : false;
    if (last && joins) last.end = part.end;
    else if (behavior !== "Removed" || !part.match) merged.push({ ...part });
  });
  return stretches(text, merged);
}

function stretches(text: Aligned, parts: readonly Readonly<{ start: number; end: number }>[]): Aligned[] {
  const result: Aligned[] = [];
  let [char, unit] = [0, 0];
  for (const { start, end } of parts) {
    while (unit < start) unit += text.chars[char++]?.length ?? 1;
    const first = char;
    while (unit < end) unit += text.chars[char++]?.length ?? 1;
    result.push(sliced(text, first, char));
  }
  return result;
}
