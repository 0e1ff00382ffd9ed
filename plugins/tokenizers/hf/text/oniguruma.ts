/**
 * Parses patterns in the syntax of Oniguruma, which tokenizer.json uses: classes are Unicode's, ^ and $ match at lines,
 * \h is a hexadecimal digit.
 */
import { cacheCharSet, type CharSet, fixedWidth, type PatternNode } from "../../../../core/patterns/node.ts";
import { classNamed, isOnigurumaWord } from "./unicode.ts";

const MAX_DEPTH = 50;

/** Options in a part of a pattern: ignore case, dot matches line ends, ignore white space. */
type Options = Readonly<{ i: boolean; m: boolean; x: boolean }>;

const START: PatternNode = { type: "start" };
const END: PatternNode = { type: "end" };
const set = (has: CharSet): PatternNode => ({ type: "set", set: has });
const all = (of: readonly PatternNode[]): PatternNode => (of.length === 1 && of[0] ? of[0] : { type: "all", of });
const any = (of: readonly PatternNode[]): PatternNode => (of.length === 1 && of[0] ? of[0] : { type: "any", of });
const look = (of: PatternNode, negated = false, behind = 0): PatternNode => ({ type: "look", of, negated, behind });
const lineFeed = set((code) => code === 10);
const anything: CharSet = () => true;

/** The meaning of a letter after a backslash: a class, or a character. */
const classLetters: Readonly<Record<string, () => CharSet>> = {
  w: () => isOnigurumaWord,
  d: () => classOf("digit"),
  s: () => classOf("space"),
  h: () => classOf("xdigit"),
};
const charLetters: Readonly<Record<string, number>> = { t: 9, v: 11, n: 10, r: 13, b: 8, f: 12, a: 7, e: 27 };

function classOf(name: string): CharSet {
  const set = classNamed(name);
  if (!set) throw new SyntaxError(`there is no class of characters named ${name}`);
  return set;
}

/** Returns the set of the same characters in either case. */
function inAnyCase(has: CharSet): CharSet {
  return cacheCharSet((code) => {
    if (has(code)) return true;
    const char = String.fromCodePoint(code);
    const upper = char.toUpperCase();
    return [char.toLowerCase(), upper, upper.toLowerCase()].some((other) => {
      const point = other.codePointAt(0) ?? 0;
      return other.length === (point > 0xffff ? 2 : 1) && point !== code && has(point);
    });
  });
}

/** Reads a pattern. */
type Reader = Readonly<{
  /** Returns the next `count` units without consuming them. */
  ahead(count?: number): string;
  /** Consumes a text if it comes next; returns whether it did. */
  take(text: string): boolean;
  /** Consumes what a sticky expression matches here. */
  takeMatch(regex: RegExp): RegExpExecArray | null;
  /** Consumes the next character. */
  next(): number;
  broken(problem: string): SyntaxError;
}>;

function readerOf(source: string): Reader {
  let at = 0;
  const broken = (problem: string): SyntaxError => new SyntaxError(`${problem} at character ${at}`);
  return {
    broken,
    ahead: (count = 1) => source.slice(at, at + count),
    take: (text) => {
      if (!source.startsWith(text, at)) return false;
      at += text.length;
      return true;
    },
    takeMatch: (regex) => {
      regex.lastIndex = at;
      const match = regex.exec(source);
      if (match) at += match[0].length;
      return match;
    },
    next: () => {
      const code = source.codePointAt(at);
      if (code === undefined) throw broken("the pattern ends too soon");
      at += code > 0xffff ? 2 : 1;
      return code;
    },
  };
}

/**
 * Parses a pattern.
 *
 * @throws SyntaxError if it is invalid, or has something unsupported: backreferences, calls, conditions.
 */
export function parseOniguruma(source: string): PatternNode {
  const r = readerOf(source);
  const node = alternatives(r, 0, { i: false, m: false, x: false });
  if (r.ahead() !== "") throw r.broken("a group is closed that was never opened");
  return node;
}

function alternatives(r: Reader, depth: number, given: Options): PatternNode {
  if (depth > MAX_DEPTH) throw r.broken(`groups are nested deeper than ${MAX_DEPTH}`);
  let options = given;
  const ways: PatternNode[] = [];
  do {
    const of: PatternNode[] = [];
    while (!/^[|)]?$/.test(r.ahead())) {
      if (options.x && r.takeMatch(/\s+|#[^\n]*/y)) continue;
      if (r.takeMatch(/\(\?#[^)]*\)/y)) continue;
      const turned = r.takeMatch(/\(\?([imx]*)(?:-([imx]*))?\)/y);
      if (turned) {
        options = withOptions(options, turned);
        // An option applies up to the end of the group, alternatives included.
        of.push(alternatives(r, depth + 1, options));
        break;
      }
      of.push(repeated(r, atom(r, depth, options), options));
    }
    ways.push(all(of));
  } while (r.take("|"));
  return any(ways);
}

function group(r: Reader, depth: number, options: Options): PatternNode {
  const inner = (own = options): PatternNode => {
    const node = alternatives(r, depth + 1, own);
    if (!r.take(")")) throw r.broken("a group is not closed");
    return node;
  };
  if (r.take("?:")) return inner();
  if (r.take("?>")) return { type: "atomic", of: inner() };
  if (r.take("?=")) return look(inner());
  if (r.take("?!")) return look(inner(), true);
  for (const [mark, negated] of [["?<=", false], ["?<!", true]] as const) {
    if (r.take(mark)) return lookBehind(r, inner(), negated);
  }
  const turned = r.takeMatch(/\?([imx]*)(?:-([imx]*))?:/y);
  if (turned) return inner(withOptions(options, turned));
  if (!r.takeMatch(/\?<[\p{L}_][\p{L}\p{N}_]*>/uy) && r.ahead() === "?") {
    throw r.broken("a group of a kind that is not supported begins");
  }
  return inner();
}

/** The alternatives of a lookbehind may have different lengths. */
function lookBehind(r: Reader, node: PatternNode, negated: boolean): PatternNode {
  const ways = (node.type === "any" ? node.of : [node]).map((way) => {
    const width = fixedWidth(way);
    if (width === undefined) throw r.broken("a lookbehind has no fixed length");
    return look(way, negated, width);
  });
  return negated ? all(ways) : any(ways);
}

function atom(r: Reader, depth: number, options: Options): PatternNode {
  if (r.take("(")) return group(r, depth, options);
  if (r.take("^")) return any([START, all([look(lineFeed, false, 1), look(set(anything))])]);
  if (r.take("$")) return any([END, look(lineFeed)]);
  if (r.take(".")) return set(options.m ? anything : (code) => code !== 10);
  if (r.take("[")) return set(cacheCharSet(bracket(r, depth, options)));
  if (r.take("\\")) return escaped(r, options);
  if (/^[*+?)]$/.test(r.ahead())) throw r.broken(`${JSON.stringify(r.ahead())} is out of place`);
  const code = r.next();
  return set(cased((other) => other === code, options));
}

function cased(has: CharSet, { i }: Options): CharSet {
  return i ? inAnyCase(has) : has;
}

function escaped(r: Reader, options: Options): PatternNode {
  const letter = r.ahead();
  if (r.take("A")) return START;
  if (r.take("z")) return END;
  if (r.take("Z")) return any([END, look(all([lineFeed, END]))]);
  if (r.take("b")) return { type: "edge", set: isOnigurumaWord, negated: false };
  if (r.take("B")) return { type: "edge", set: isOnigurumaWord, negated: true };
  if (r.take("N")) return set((code) => code !== 10);
  if (r.take("O")) return set(anything);
  if (r.take("R")) {
    const breaks = set((code) => code >= 10 && code <= 13 || code === 0x85 || code === 0x2028 || code === 0x2029);
    return { type: "atomic", of: any([all([set((code) => code === 13), lineFeed]), breaks]) };
  }
  if (/[1-9kgGKXyY]/.test(letter)) throw r.broken(`\\${letter} is not supported`);
  return set(escapedSet(r, false, options));
}

/** Parses an escape sequence, inside or outside of brackets. */
function escapedSet(r: Reader, inBrackets: boolean, options: Options): CharSet {
  const property = r.takeMatch(/([pP])\{(\^?)([^{}]{1,64})\}/y);
  if (property) {
    const [, letter, not, name = ""] = property;
    const has = propertyOf(name, inBrackets);
    return (letter === "P") !== (not === "^") ? (code) => !has(code) : has;
  }
  const letter = r.ahead();
  const escape = classLetters[letter.toLowerCase()];
  if (escape && r.take(letter)) {
    const has = inBrackets && letter.toLowerCase() === "w" ? classOf("word") : escape();
    return letter === letter.toLowerCase() ? has : (code) => !has(code);
  }
  const code = escapedChar(r);
  return cased((other) => other === code, inBrackets ? { ...options, i: false } : options);
}

/** Returns a class by its name in braces; outside of brackets, some differ slightly from inside. */
function propertyOf(name: string, inBrackets: boolean): CharSet {
  const plain = name.toLowerCase().trim();
  if (plain === "word" && !inBrackets) return isOnigurumaWord;
  return classOf(plain === "punct" ? "punctuation" : name);
}

function escapedChar(r: Reader): number {
  const number = r.takeMatch(/x\{([\da-fA-F]{1,8})\}|u([\da-fA-F]{4})|x([\da-fA-F]{1,2})/y);
  if (number) return parseInt(number[1] ?? number[2] ?? number[3] ?? "", 16);
  const octal = r.takeMatch(/0([0-7]{0,2})/y);
  if (octal) return parseInt(octal[1] || "0", 8);
  const letter = r.ahead();
  if (/[cCM]/.test(letter)) throw r.broken(`\\${letter} is not supported`);
  const code = r.next();
  return charLetters[letter] ?? code;
}

/** Parses the inside of brackets, including the closing one. A negation applies after case folding. */
function bracket(r: Reader, depth: number, options: Options): CharSet {
  if (depth > MAX_DEPTH) throw r.broken(`brackets are nested deeper than ${MAX_DEPTH}`);
  const not = r.take("^");
  const parts: CharSet[][] = [[]];
  let first = true;
  while (first || !r.take("]")) {
    if (r.ahead() === "") throw r.broken("a bracket is not closed");
    const set = parts.at(-1) as CharSet[];
    if (first && r.take("]")) set.push((code) => code === 0x5d);
    else if (r.take("&&")) parts.push([]);
    else set.push(member(r, depth, options));
    first = false;
  }
  const has = cased((code) => parts.every((of) => of.some((one) => one(code))), options);
  return not ? (code) => !has(code) : has;
}

function member(r: Reader, depth: number, options: Options): CharSet {
  const named = r.takeMatch(/\[:(\^?)([a-zA-Z]+):\]/y);
  if (named) {
    const has = classOf(named[2] ?? "");
    return named[1] ? (code) => !has(code) : has;
  }
  if (r.take("[")) return bracket(r, depth + 1, options);
  if (/^\\[pPwWdDsShH]/.test(r.ahead(2))) {
    r.next();
    return escapedSet(r, true, options);
  }
  const from = r.take("\\") ? escapedChar(r) : r.next();
  if (!/^-[^\]]/.test(r.ahead(2)) || /^-(?:\[|&&|\\[pPwWdDsShH])/.test(r.ahead(3))) return (code) => code === from;
  r.next();
  const to = r.take("\\") ? escapedChar(r) : r.next();
  if (to < from) throw r.broken("a range is out of order");
  return (code) => code >= from && code <= to;
}

function repeated(r: Reader, of: PatternNode, options: Options): PatternNode {
  let node = of;
  for (let times = 0;; times++) {
    if (options.x) r.takeMatch(/\s+/y);
    const mark = r.takeMatch(/[*+?]|\{(\d{1,4})\}|\{(?!,\})(\d{0,4}),(\d{0,4})\}/y);
    if (!mark) return node;
    if (times >= 8) throw r.broken("too many counts follow each other");
    const [symbol, exact, from, to] = mark;
    if (exact !== undefined) {
      node = { type: "repeat", of: node, min: Number(exact), max: Number(exact), lazy: false };
      continue;
    }
    const min = from === undefined ? (symbol === "+" ? 1 : 0) : Number(from);
    const most = to === "" || to === undefined ? Infinity : Number(to);
    const max = from === undefined ? (symbol === "?" ? 1 : Infinity) : most;
    if (max < min) throw r.broken("the numbers of a count are out of order");
    const lazy = r.take("?");
    node = { type: "repeat", of: node, min, max, lazy };
    if (from === undefined && !lazy && r.take("+")) node = { type: "atomic", of: node };
  }
}

function withOptions(options: Options, [, on = "", off = ""]: readonly (string | undefined)[]): Options {
  const turned: Record<"i" | "m" | "x", boolean> = { ...options };
  for (const letter of on) turned[letter as "i"] = true;
  for (const letter of off) turned[letter as "i"] = false;
  return turned;
}
