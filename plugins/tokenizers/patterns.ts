/**
 * Patterns of tokenizer.json: plain strings, or regular expressions.
 * @module
 */
import { badFile } from "../../core/base/errors.ts";
import type { CharSet } from "../../core/patterns/node.ts";
import { searchFor } from "../../core/patterns/search.ts";
import { parseOniguruma } from "./oniguruma.ts";

/** All matches in a text: start, end, start, end ... in UTF-16 units. */
export type Matcher = (text: string) => number[];

/** `{ String }` or `{ Regex }` as what finds all matches. Throws AttuneError where it cannot be read. */
export function patternOf(pattern: unknown): Matcher {
  const { String: text, Regex: regex } = (pattern ?? {}) as { String?: string; Regex?: string };
  if (text !== undefined) return matchesOf(text);
  try {
    const searchIn = searchFor(parseOniguruma(regex ?? ""));
    return (inside) => inside === "" ? [] : found(inside, searchIn(inside));
  } catch (cause) {
    throw badFile(
      "hf",
      "tokenizer.json",
      `has the pattern ${regex}: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

/** Every place of a plain string that is not empty. */
export function matchesOf(part: string): Matcher {
  return (text) => {
    const matches: number[] = [];
    for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) {
      matches.push(at, at + part.length);
    }
    return matches;
  };
}

/** Every character of a set. */
export function charsOf(has: CharSet): Matcher {
  return (text) => {
    const matches: number[] = [];
    for (let at = 0; at < text.length;) {
      const code = text.codePointAt(at) ?? 0;
      const end = at + (code > 0xffff ? 2 : 1);
      if (has(code)) matches.push(at, end);
      at = end;
    }
    return matches;
  };
}

/** Matches one after another, none of them empty right behind another. */
function found(text: string, search: (at: number) => number): number[] {
  const matches: number[] = [];
  let last = -1;
  for (let at = 0; at <= text.length;) {
    const end = search(at);
    const next = at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
    if (end < 0 || end === at && end === last) {
      at = next;
      continue;
    }
    matches.push(at, end);
    last = end;
    at = end > at ? end : next;
  }
  return matches;
}
