/**
 * Python's strings: white space, string methods, and the formatting of values.
 * @module
 */

const BLANKS = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const leading = new RegExp(`^[${BLANKS}]+`);
const words = new RegExp(`[^${BLANKS}]+`, "g");
const isBlank = new RegExp(`^[${BLANKS}]+$`);

/** Strips the characters `chars`, or Python's white space, from the ends of a text. */
export function stripEnds(text: string, chars: string | undefined, ends: "left" | "right" | "both"): string {
  const points = Array.from(text);
  const goes = chars === undefined ? (c: string): boolean => leading.test(c) : (c: string): boolean => set.has(c);
  const set = new Set(chars ?? "");
  let [from, to] = [0, points.length];
  if (ends !== "right") { while (from < to && goes(points[from] ?? "")) from++; }
  if (ends !== "left") { while (to > from && goes(points[to - 1] ?? "")) to--; }
  return points.slice(from, to).join("");
}

/** Capitalizes the first letter, and lower-cases the others. */
export function capitalized(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** Capitalizes every letter that follows a non-letter, like `str.title`. */
function titled(text: string): string {
  return text.replace(/\p{L}+/gu, capitalized);
}

/** Capitalizes every word, like Jinja's filter `title`. */
export function titledWords(text: string): string {
  return text.split(/([-\s({[<]+)/).map((part, i) => (i % 2 === 0 ? capitalized(part) : part)).join("");
}

/** Splits a text at most `most` times; without a separator at white space. */
function split(text: string, separator: string | undefined, most: number, fromRight = false): string[] {
  if (separator === "") throw new Error("empty separator");
  if (separator === undefined) {
    const matches = [...text.matchAll(words)];
    if (most < 0 || matches.length <= most) return matches.map(([word]) => word);
    const cut = fromRight ? matches.slice(matches.length - most) : matches.slice(0, most);
    const at = fromRight ? cut[0]?.index ?? text.length : (matches[most]?.index ?? 0);
    const rest = fromRight ? stripEnds(text.slice(0, at), undefined, "both") : text.slice(at);
    const texts = cut.map(([word]) => word);
    return fromRight ? [rest, ...texts] : [...texts, stripEnds(rest, undefined, "left")];
  }
  const parts = text.split(separator);
  if (most < 0 || parts.length <= most + 1) return parts;
  return fromRight
    ? [parts.slice(0, parts.length - most).join(separator), ...parts.slice(parts.length - most)]
    : [...parts.slice(0, most), parts.slice(most).join(separator)];
}

function partition(text: string, separator: string, at: number, right: boolean): string[] {
  if (at < 0) return right ? ["", "", text] : [text, "", ""];
  return [text.slice(0, at), separator, text.slice(at + separator.length)];
}

/** Types of the methods' arguments and results. */
type Plain = string | number | boolean | undefined;
type Method = (text: string, ...args: readonly Plain[]) => string | number | boolean | readonly string[];

const chars = (value: Plain): string | undefined => (value === undefined ? undefined : String(value));
const countOf = (value: Plain, otherwise: number): number => (value === undefined ? otherwise : Number(value));
/** Larger widths are refused, since padding grows with them. */
const MAX_WIDTH = 64;
const fills = (text: string, width: Plain): number => {
  const size = Number(width);
  if (!(size <= MAX_WIDTH)) throw new RangeError(`the template asks for a width of ${size}`);
  return Math.max(0, size - Array.from(text).length);
};
const isAll = (pattern: RegExp): Method => (text) => text !== "" && pattern.test(text);
const place = (text: string, at: number): number => (at < 0 ? at : Array.from(text.slice(0, at)).length);

/** String methods that the template library lacks, or that differ from Python's. */
export const stringMethods: Readonly<Record<string, Method>> = {
  strip: (text, characters) => stripEnds(text, chars(characters), "both"),
  lstrip: (text, characters) => stripEnds(text, chars(characters), "left"),
  rstrip: (text, characters) => stripEnds(text, chars(characters), "right"),
  capitalize: capitalized,
  title: titled,
  casefold: (text) => text.toLowerCase().replaceAll("ß", "ss"),
  swapcase: (text) => Array.from(text, (c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join(""),
  split: (text, separator, most) => split(text, chars(separator), countOf(most, -1)),
  rsplit: (text, separator, most) => split(text, chars(separator), countOf(most, -1), true),
  splitlines: (text) => {
    // deno-lint-ignore no-control-regex
    const lines = text.split(/\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/);
    return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
  },
  partition: (text, separator) => partition(text, String(separator), text.indexOf(String(separator)), false),
  rpartition: (text, separator) => partition(text, String(separator), text.lastIndexOf(String(separator)), true),
  find: (text, part) => place(text, text.indexOf(String(part))),
  rfind: (text, part) => place(text, text.lastIndexOf(String(part))),
  index: (text, part) => {
    const at = text.indexOf(String(part));
    if (at < 0) throw new Error("substring not found");
    return place(text, at);
  },
  count: (text, part) => part === "" ? Array.from(text).length + 1 : text.split(String(part)).length - 1,
  removeprefix: (text, part) => text.startsWith(String(part)) ? text.slice(String(part).length) : text,
  removesuffix: (text, part) => part !== "" && text.endsWith(String(part)) ? text.slice(0, -String(part).length) : text,
  zfill: (text, width) => {
    const [, sign = "", rest = ""] = /^([+-]?)([^]*)$/.exec(text) ?? [];
    return sign + "0".repeat(fills(text, width)) + rest;
  },
  ljust: (text, width, fill) => text + String(fill ?? " ").repeat(fills(text, width)),
  rjust: (text, width, fill) => String(fill ?? " ").repeat(fills(text, width)) + text,
  center: (text, width, fill) => {
    const all = fills(text, width);
    const left = Math.floor(all / 2) + (all & Number(width) & 1);
    return String(fill ?? " ").repeat(left) + text + String(fill ?? " ").repeat(all - left);
  },
  isdigit: isAll(/^\p{Nd}+$/u),
  isdecimal: isAll(/^\p{Nd}+$/u),
  isnumeric: isAll(/^\p{N}+$/u),
  isalpha: isAll(/^\p{L}+$/u),
  isalnum: isAll(/^[\p{L}\p{N}]+$/u),
  isspace: isAll(isBlank),
  isupper: (text) => /\p{Lu}/u.test(text) && !/\p{Ll}/u.test(text),
  islower: (text) => /\p{Ll}/u.test(text) && !/\p{Lu}/u.test(text),
  istitle: (text) => /\p{L}/u.test(text) && text === titled(text),
};

/** Formats a float like Python. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const size = Math.abs(value);
  if (size >= 1e16 || size < 1e-4) {
    const [digits = "", exponent = ""] = value.toExponential().split("e");
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Quotes a text as Python does in a list. */
export function quotePython(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
  const inner = Array.from(text, (c) => {
    if (named[c] !== undefined) return named[c];
    if (c === quote) return `\\${c}`;
    if (c === " " || !/[\p{C}\p{Z}]/u.test(c)) return c;
    const code = c.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  }).join("");
  return quote + inner + quote;
}
