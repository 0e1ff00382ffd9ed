/**
 * A regular expression's notation, read into a tree.
 * @module
 */
import { type CharSet, fixedWidth, type PatternNode as Node, remembered } from "./node.ts";

const MAX_DEPTH = 50;

/**
 * Reads the notation of JavaScript's flag u, with possessive quantifiers and atomic groups besides.
 *
 * @throws SyntaxError where it cannot be read, or refers back to a group.
 */
export function parsePattern(source: string): Node {
  let at = 0;
  const broken = (problem: string): SyntaxError => new SyntaxError(`${problem} at character ${at}`);
  const take = (text: string): boolean => {
    if (!source.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };
  const alternatives = (depth: number): Node => {
    if (depth > MAX_DEPTH) throw broken(`groups are nested deeper than ${MAX_DEPTH}`);
    const all: Node[] = [];
    do {
      const of: Node[] = [];
      while (at < source.length && source[at] !== "|" && source[at] !== ")") of.push(repeated(atom(depth)));
      const [only] = of;
      all.push(of.length === 1 && only ? only : { type: "all", of });
    } while (take("|"));
    const [only] = all;
    return all.length === 1 && only ? only : { type: "any", of: all };
  };
  const group = (depth: number): Node => {
    const inner = (): Node => {
      const node = alternatives(depth + 1);
      if (!take(")")) throw broken("a group is not closed");
      return node;
    };
    if (take("?:")) return inner();
    if (take("?>")) return { type: "atomic", of: inner() };
    for (const [mark, negated] of [["?=", false], ["?!", true]] as const) {
      if (take(mark)) return { type: "look", of: inner(), negated, behind: 0 };
    }
    for (const [mark, negated] of [["?<=", false], ["?<!", true]] as const) {
      if (!take(mark)) continue;
      const of = inner();
      const behind = fixedWidth(of);
      if (behind === undefined) throw broken("a lookbehind has no fixed length");
      return { type: "look", of, negated, behind };
    }
    const named = /^\?<[\p{L}_$][\p{L}\p{N}_$]*>/u.exec(source.slice(at, at + 64))?.[0];
    if (named) at += named.length;
    else if (source[at] === "?") throw broken("a group of unknown kind begins");
    return inner();
  };
  const atom = (depth: number): Node => {
    if (take("(")) return group(depth);
    if (take("^")) return { type: "start" };
    if (take("$")) return { type: "end" };
    if (take("\\b")) return { type: "edge", set: setOf("\\w"), negated: false };
    if (take("\\B")) return { type: "edge", set: setOf("\\w"), negated: true };
    if (/^\\[1-9k]/.test(source.slice(at, at + 2))) throw broken("back-references are not supported");
    const rest = source.slice(at, at + 4096);
    const own =
      /^(?:\[(?:[^\\\]]|\\[^])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\x..|\\c.|\\[^]|[^\\])/u
        .exec(rest)?.[0];
    if (own === undefined || /^[*+?{}\]]$/.test(own)) throw broken(`${JSON.stringify(rest[0] ?? "")} is out of place`);
    at += own.length;
    return { type: "set", set: setOf(own) };
  };
  const repeated = (of: Node): Node => {
    const mark = /^(?:[*+?]|\{(\d{1,4})(,?)(\d{0,4})\})/.exec(source.slice(at, at + 12));
    if (!mark) return of;
    at += mark[0].length;
    const [symbol, from, comma, to] = mark;
    const min = from === undefined ? (symbol === "+" ? 1 : 0) : Number(from);
    const max = from === undefined
      ? (symbol === "?" ? 1 : Infinity)
      : comma === ""
      ? min
      : to === ""
      ? Infinity
      : Number(to);
    if (max < min) throw broken("the numbers of a count are out of order");
    const node: Node = { type: "repeat", of, min, max, lazy: take("?") };
    return from === undefined && take("+") ? { type: "atomic", of: node } : node;
  };
  const node = alternatives(0);
  if (at < source.length) throw broken("a group is closed that was never opened");
  return node;
}

const sets = new Map<string, CharSet>();

/** The characters that an atom stands for, as JavaScript itself has it. */
function setOf(source: string): CharSet {
  const known = sets.get(source);
  if (known) return known;
  // Before what needs no backslash it says nothing.
  const one = new RegExp(`^${/^\\[^\p{L}\p{N}$()*+./?[\\\]^{|}]$/u.test(source) ? source.slice(1) : source}$`, "u");
  const set = remembered((code) => one.test(String.fromCodePoint(code)));
  if (sets.size >= 512) sets.clear();
  sets.set(source, set);
  return set;
}
