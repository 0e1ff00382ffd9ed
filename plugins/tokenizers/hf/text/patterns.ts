/** Patterns in tokenizer.json: plain strings, or regular expressions. */
import { badFile } from "../../../../core/base/errors.ts";
import type { CharSet } from "../../../../core/patterns/node.ts";

/** Returns all matches in a text: start, end, start, end ... in UTF-16 units. */
export type Matcher = (text: string) => number[];

/** Compiles a regular expression. */
export type RegexReader = (source: string) => Matcher;

/** Compiles `{ String }` or `{ Regex }`. Throws AttuneError if it is invalid. */
export function patternOf(pattern: unknown, readRegex: RegexReader | undefined): Matcher {
  const { String: text, Regex: regex } = (pattern ?? {}) as { String?: string; Regex?: string };
  if (text !== undefined) return matchesOf(text);
  if (readRegex && regex !== undefined) return readRegex(regex);
  throw badFile("hf", "tokenizer.json", "has a pattern that is neither a String nor a Regex");
}

/** Matches a plain string that is not empty. */
export function matchesOf(part: string): Matcher {
  return (text) => {
    const matches: number[] = [];
    for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) {
      matches.push(at, at + part.length);
    }
    return matches;
  };
}

/** Matches every character of a set. */
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
