/**
 * Regular expressions from untrusted files, for use with String's own methods, whose matching time is linear in the
 * length of the text.
 */
import { parsePattern } from "./parse.ts";
import { searchFor } from "./search.ts";
import { characterWidth } from "./text.ts";

/** The part of RegExp that String's own methods use; a RegExp with the flag g is a pattern too. */
export type Pattern = Pick<
  RegExp,
  "flags" | typeof Symbol.matchAll | typeof Symbol.match | typeof Symbol.replace | typeof Symbol.split
>;

/**
 * Compiles a pattern in JavaScript's notation with the flag u, plus possessive quantifiers and atomic groups.
 *
 * @throws SyntaxError if the pattern is invalid, has a back-reference, or is too long. The compiled pattern throws
 * AttuneError if a text takes too many steps.
 */
export function linearPattern(source: string): Pattern {
  const searchIn = searchFor(parsePattern(source));
  const matches = function* (text: string): Generator<readonly [start: number, end: number]> {
    const search = searchIn(text);
    for (let at = 0; at <= text.length;) {
      const end = search(at);
      if (end >= 0) yield [at, end];
      // After an empty match, as after a place without a match, go on at the next character.
      at = end > at ? end : at + characterWidth(text, at);
    }
  };
  const all = (text: string): string[] => Array.from(matches(text), ([start, end]) => text.slice(start, end));
  const cut = (text: string): [between: string[], rest: string] => {
    const between: string[] = [];
    let done = 0;
    for (const [start, end] of matches(text)) {
      between.push(text.slice(done, start));
      done = end;
    }
    return [between, text.slice(done)];
  };
  return {
    // String's methods refuse a pattern without the flag g.
    flags: "gu",
    [Symbol.matchAll]: function* (text: string) {
      for (const [index, end] of matches(text)) {
        yield Object.assign([text.slice(index, end)], { index, input: text }) as unknown as RegExpExecArray;
      }
    } as unknown as Pattern[typeof Symbol.matchAll],
    [Symbol.match]: (text: string) => {
      const match = all(text);
      return match.length > 0 ? match as unknown as RegExpMatchArray : null;
    },
    [Symbol.replace]: (text: string, content: unknown) => {
      const [between, rest] = cut(text);
      return [...between, rest].join(String(content));
    },
    [Symbol.split]: (text: string) => {
      const [between, rest] = cut(text);
      return [...between, rest];
    },
  };
}
