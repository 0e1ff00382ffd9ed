/** Regular expressions in tokenizer.json, in Oniguruma's syntax. */
import { badFile } from "../../../../core/base/errors.ts";
import { searchFor } from "../../../../core/patterns/search.ts";
import { parseOniguruma } from "./oniguruma.ts";
import type { Matcher } from "./patterns.ts";

/** Compiles a regular expression. Throws AttuneError if it is invalid. */
export function readRegex(source: string): Matcher {
  try {
    const searchIn = searchFor(parseOniguruma(source));
    return (inside) => inside === "" ? [] : matchesOf(inside, searchIn(inside));
  } catch (cause) {
    throw badFile(
      "hf",
      "tokenizer.json",
      `has the pattern ${source}: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

/** Returns successive matches, without empty ones directly after another match. */
function matchesOf(text: string, search: (at: number) => number): number[] {
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
