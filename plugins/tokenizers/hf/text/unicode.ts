/**
 * Character classes as in Hugging Face's tokenizers, whose parts use different versions of Unicode, as do JavaScript
 * engines.
 */
import { cacheCharSet, type CharSet } from "../../../../core/patterns/node.ts";
import * as tables from "./unicode_tables.ts";

/** Decodes a table's ranges to a list: start, end (excluded), start, end ... */
function rangesOf(table: string): number[] {
  let at = 0;
  return table.split(" ").flatMap((range) => {
    const [skip = "", more = "0"] = range.split("-");
    const start = at + parseInt(skip, 36);
    at = start + parseInt(more, 36);
    return [start, at + 1];
  });
}

function inTable(table: string): CharSet {
  let ranges: number[] | undefined;
  return cacheCharSet((code) => {
    ranges ??= rangesOf(table);
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranges[middle] as number) <= code) low = middle + 1;
      else high = middle;
    }
    // After an odd number of bounds, the code is in a range.
    return low % 2 === 1;
  });
}

function matching(regex: RegExp): CharSet {
  return cacheCharSet((code) => regex.test(String.fromCodePoint(code)));
}

/** Unicode's white space. */
export const isWhitespace: CharSet = matching(/^\p{White_Space}$/u);
/** Control characters, which BERT's normalizer removes. */
export const isControl: CharSet = inTable(tables.control);
/** Nonspacing marks of Unicode 8. */
export const isNonspacing: CharSet = inTable(tables.nonspacing);
/** Marks of Unicode 9. */
export const isMark: CharSet = inTable(tables.mark);
/** Punctuation of Unicode 8 and of ASCII. */
export const isPunctuation: CharSet = inTable(tables.punctuation);
/** Characters without a decomposition, whatever the engine says. */
export const isWhole: CharSet = inTable(tables.composed);
/** Characters assigned in Unicode 17. */
const isLatest: CharSet = inTable(tables.latest);
/** Marks assigned in Unicode 17. */
export const isLatestMark: CharSet = inTable(tables.latestMarks);
/** Numbers of Unicode 17. */
export const isNumeric: CharSet = matching(/^[\p{N}\u{11DE0}-\u{11DE9}\u{16FF4}-\u{16FF6}]$/u);

/** Returns a class of Unicode 16, by JavaScript's expression for it. */
function ofSixteen(regex: RegExp): CharSet {
  return cacheCharSet((code) => regex.test(String.fromCodePoint(code)) && !isLatest(code));
}

/** Letters, marks, digits and connectors: \w in Rust's patterns. */
export const isWord: CharSet = ofSixteen(/^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u);

/** Returns a letter in lower case. Five pairs are newer than some engines. */
export function lowercased(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code === 0xa7ce || code === 0xa7d2 || code === 0xa7d4) return String.fromCharCode(code + 1);
  if (code >= 0x16ea0 && code <= 0x16eb8) return String.fromCodePoint(code + 0x1b);
  return char.toLowerCase();
}

const word = (code: number): boolean => /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u.test(String.fromCodePoint(code));

/** Oniguruma's own classes by their lower-case names: POSIX's, and single letters after a backslash. */
const posix: Readonly<Record<string, string>> = {
  alnum: "\\p{Alphabetic}\\p{Nd}",
  alpha: "\\p{Alphabetic}",
  ascii: "\\0-\\x7f",
  blank: "\\p{Zs}\\t",
  cntrl: "\\p{Cc}",
  digit: "\\p{Nd}",
  lower: "\\p{Lowercase}\\u0295",
  print: "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Zs}\\p{Cf}\\p{Co}",
  graph: "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}",
  punct: "\\p{P}\\p{S}",
  space: "\\p{White_Space}",
  upper: "\\p{Uppercase}",
  xdigit: "0-9A-Fa-f",
  any: "\\0-\\u{10ffff}",
};

const classes = new Map<string, CharSet | undefined>();

/** Returns a class by its name in \p{...} or [:...:]; undefined if there is none. */
export function classNamed(name: string): CharSet | undefined {
  const key = name.toLowerCase().replaceAll(/[\s_-]/g, "");
  if (!classes.has(key)) classes.set(key, namedClass(key, name));
  return classes.get(key);
}

function namedClass(key: string, name: string): CharSet | undefined {
  if (key === "word") return cacheCharSet((code) => word(code) && !isLatest(code));
  const known = posix[key];
  if (known !== undefined) return ofSixteen(new RegExp(`^[${known}]$`, "u"));
  // Classes that include unassigned characters.
  if (key === "c" || key === "other" || key === "cn" || key === "unassigned") {
    const regex = /^c|^o/.test(key) && key !== "cn" ? /^\p{C}$/u : /^\p{Cn}$/u;
    return cacheCharSet((code) => isLatest(code) || regex.test(String.fromCodePoint(code)));
  }
  const words = name.trim().split(/[\s_-]+/).map((part) => part[0]?.toUpperCase() + part.slice(1).toLowerCase());
  for (const alias of [name, words.join("_"), key]) {
    for (const form of [alias, `Script=${alias}`]) {
      try {
        const set = ofSixteen(new RegExp(`^\\p{${form}}$`, "u"));
        // ʕ was a lower-case letter until Unicode 17.
        if (key === "ll" || key === "lowercaseletter" || key === "lowercase") return (c) => c === 0x295 || set(c);
        return key === "lo" || key === "otherletter" ? (c) => c !== 0x295 && set(c) : set;
      } catch {
        // JavaScript does not know this name.
      }
    }
  }
  return undefined;
}

/** Oniguruma's \w, which includes some superscripts and fractions of Latin-1. */
export const isOnigurumaWord: CharSet = cacheCharSet((code) =>
  word(code) && !isLatest(code) || code === 0xb2 || code === 0xb3 || code === 0xb9 || code >= 0xbc && code <= 0xbe
);
