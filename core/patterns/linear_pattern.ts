/**
 * Regular expressions that come in a file, as String's own methods take them, matched in time that grows with the text
 * alone.
 */
import { parsePattern } from "./parse.ts";
import { searchFor } from "./search.ts";
import { characterWidth } from "./text.ts";

/** What String's own methods ask of a pattern; a RegExp with the flag g is one, too. */
export type Pattern = Pick<
  RegExp,
  "flags" | typeof Symbol.matchAll | typeof Symbol.match | typeof Symbol.replace | typeof Symbol.split
>;

/**
 * A pattern in the notation of JavaScript's flag u, with possessive quantifiers and atomic groups besides.
 *
 * @throws SyntaxError where it cannot be read, refers back to a group, or is too long. What it gives throws AttuneError
 * where a text takes too many steps.
 */
export function linearPattern(source: string): Pattern {
  const searchIn = searchFor(parsePattern(source));
  const matches = function* (text: string): Generator<readonly [start: number, end: number]> {
    const search = searchIn(text);
    for (let at = 0; at <= text.length;) {
      const end = search(at);
      if (end >= 0) yield [at, end];
      // Behind an empty match as behind a place without one: the next character.
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
    // String's methods refuse a pattern without it.
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
