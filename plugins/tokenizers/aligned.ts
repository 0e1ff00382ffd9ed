/**
 * A text under change that knows where each of its characters came from, as Hugging Face's NormalizedString does.
 * @module
 */
import type { Pattern } from "../../core/linear_pattern.ts";

/** A stretch of the original text in UTF-16 units. */
export type Span = readonly [start: number, end: number];

/** Characters (code points) with the stretch of the original text that each stands for. */
export type Aligned = Readonly<{ chars: readonly string[]; spans: readonly Span[] }>;

/**
 * A new character, and how many characters of the old text it takes: 0 for its own one, n > 0 for none (it is
 * inserted), -n for its own one and the n behind it.
 */
export type Change = readonly [char: string, change: number];

/** A text as it is; `from`: where it begins in the original. */
export function alignedOf(text: string, from = 0): Aligned {
  const chars = [...text];
  let at = from;
  return { chars, spans: chars.map((char): Span => [at, at += char.length]) };
}

/** The characters as one string. */
export function textOf({ chars }: Aligned): string {
  return chars.join("");
}

/** Part of a text, by characters. */
export function sliced({ chars, spans }: Aligned, start: number, end?: number): Aligned {
  return { chars: chars.slice(start, end), spans: spans.slice(start, end) };
}

/** The stretch that the characters from `start` to `end` (excluded) stand for. */
export function spanOf({ spans }: Aligned, start: number, end: number): Span {
  const first = spans[Math.min(start, spans.length - 1)] ?? [0, 0];
  if (end <= start) return [first[0], first[0]];
  return [first[0], (spans[Math.min(end, spans.length) - 1] ?? first)[1]];
}

/** Puts new characters in place of all; the first `removed` old ones have none. An inserted one stands where its neighbour before does. */
export function transformed({ spans }: Aligned, changes: readonly Change[], removed = 0): Aligned {
  const out: Span[] = [];
  let at = removed;
  for (const [, change] of changes) {
    out.push((change > 0 ? spans[at - 1] : spans[at]) ?? [spans[0]?.[0] ?? 0, spans[0]?.[0] ?? 0]);
    if (change <= 0) at += 1 - change;
  }
  return { chars: changes.map(([char]) => char), spans: out };
}

/** Without the characters that are not kept. */
export function filtered(text: Aligned, keep: (char: string) => boolean): Aligned {
  const kept = text.chars.map(keep);
  return { chars: text.chars.filter((_, i) => kept[i]), spans: text.spans.filter((_, i) => kept[i]) };
}

/** Every character by others in its place. */
export function mapped(text: Aligned, change: (char: string) => string): Aligned {
  return transformed(text, text.chars.flatMap((char) => [...change(char)].map((c, i): Change => [c, i > 0 ? 1 : 0])));
}

/** Matches replaced; what replaces one stands where the match's last character did. */
export function replaced(text: Aligned, pattern: Pattern, content: string): Aligned {
  const matches = [...pattern[Symbol.matchAll](textOf(text))];
  if (matches.length === 0) return text;
  const at = unitsToChars(text);
  const chars: string[] = [];
  const spans: Span[] = [];
  let done = 0;
  const upTo = (end: number): void => {
    // Not all at once: a call takes only so many arguments.
    for (let i = done; i < end; i++) {
      chars.push(text.chars[i] ?? "");
      spans.push(text.spans[i] ?? [0, 0]);
    }
  };
  for (const match of matches) {
    const [start, end] = [at[match.index] ?? 0, at[match.index + match[0].length] ?? text.chars.length];
    upTo(start);
    for (const char of content) {
      chars.push(char);
      spans.push(text.spans[end - 1] ?? [0, 0]);
    }
    done = end;
  }
  upTo(text.chars.length);
  return { chars, spans };
}

/** Characters put in front; they stand where the first one does. */
export function prepended(text: Aligned, prefix: string): Aligned {
  const [first] = text.spans;
  if (!first) return text;
  const own = [...prefix];
  return { chars: [...own, ...text.chars], spans: [...own.map(() => first), ...text.spans] };
}

/** The pieces of a text that a function cuts its string into: stretches of it, in order, some perhaps left out. */
export function pieces(text: Aligned, split: (text: string) => readonly string[]): Aligned[] {
  const string = textOf(text);
  const at = unitsToChars(text);
  let cursor = 0;
  return split(string).flatMap((piece) => {
    const start = piece === "" ? -1 : string.indexOf(piece, cursor);
    if (start < 0) return [];
    cursor = start + piece.length;
    return [sliced(text, at[start] ?? 0, at[cursor] ?? text.chars.length)];
  });
}

/** For each UTF-16 unit of the string, the number of its character. */
function unitsToChars({ chars }: Aligned): number[] {
  const at: number[] = [];
  chars.forEach((char, i) => {
    for (let k = 0; k < char.length; k++) at.push(i);
  });
  at.push(chars.length);
  return at;
}
