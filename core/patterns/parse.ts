/** The parser of regular expressions. */
import { cacheCharSet, type CharSet, fixedWidth, type PatternNode as Node } from "./node.ts";

const MAX_DEPTH = 50;

/** A position in a pattern's text during parsing. */
type Cursor = Readonly<{
  /** Returns up to `count` next characters. */
  next: (count: number) => string;
  /** Skips `text` if it comes next, and returns whether it did. */
  take: (text: string) => boolean;
  skip: (count: number) => void;
  /** Whether the text, a group or an alternative ends here. */
  ends: () => boolean;
  broken: (problem: string) => SyntaxError;
}>;

function cursorOf(source: string): Cursor {
  let at = 0;
  return {
    next: (count) => source.slice(at, at + count),
    take: (text) => {
      if (!source.startsWith(text, at)) return false;
      at += text.length;
      return true;
    },
    skip: (count) => (at += count),
    ends: () => at >= source.length || source[at] === "|" || source[at] === ")",
    broken: (problem) => new SyntaxError(`${problem} at character ${at}`),
  };
}

/**
 * Parses JavaScript's notation with the flag u, plus possessive quantifiers and atomic groups.
 *
 * @throws SyntaxError if the pattern is invalid or has a back-reference.
 */
export function parsePattern(source: string): Node {
  const cursor = cursorOf(source);
  const node = readAlternatives(cursor, 0);
  if (cursor.next(1) !== "") throw cursor.broken("a group is closed that was never opened");
  return node;
}

function readAlternatives(cursor: Cursor, depth: number): Node {
  if (depth > MAX_DEPTH) throw cursor.broken(`groups are nested deeper than ${MAX_DEPTH}`);
  const all: Node[] = [];
  do {
    const of: Node[] = [];
    while (!cursor.ends()) of.push(readRepeat(cursor, readAtom(cursor, depth)));
    const [only] = of;
    all.push(of.length === 1 && only ? only : { type: "all", of });
  } while (cursor.take("|"));
  const [only] = all;
  return all.length === 1 && only ? only : { type: "any", of: all };
}

function readGroup(cursor: Cursor, depth: number): Node {
  const inner = (): Node => {
    const node = readAlternatives(cursor, depth + 1);
    if (!cursor.take(")")) throw cursor.broken("a group is not closed");
    return node;
  };
  if (cursor.take("?:")) return inner();
  if (cursor.take("?>")) return { type: "atomic", of: inner() };
  for (const [mark, negated] of [["?=", false], ["?!", true]] as const) {
    if (cursor.take(mark)) return { type: "look", of: inner(), negated, behind: 0 };
  }
  for (const [mark, negated] of [["?<=", false], ["?<!", true]] as const) {
    if (!cursor.take(mark)) continue;
    const of = inner();
    const behind = fixedWidth(of);
    if (behind === undefined) throw cursor.broken("a lookbehind has no fixed length");
    return { type: "look", of, negated, behind };
  }
  const groupName = /^\?<[\p{L}_$][\p{L}\p{N}_$]*>/u.exec(cursor.next(64))?.[0];
  if (groupName) cursor.skip(groupName.length);
  else if (cursor.next(1) === "?") throw cursor.broken("a group of unknown kind begins");
  return inner();
}

function readAtom(cursor: Cursor, depth: number): Node {
  const { take } = cursor;
  if (take("(")) return readGroup(cursor, depth);
  if (take("^")) return { type: "start" };
  if (take("$")) return { type: "end" };
  if (take("\\b")) return { type: "edge", set: setOf("\\w"), negated: false };
  if (take("\\B")) return { type: "edge", set: setOf("\\w"), negated: true };
  if (/^\\[1-9k]/.test(cursor.next(2))) throw cursor.broken("back-references are not supported");
  const rest = cursor.next(4096);
  const atom =
    /^(?:\[(?:[^\\\]]|\\[^])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\x..|\\c.|\\[^]|[^\\])/u
      .exec(rest)?.[0];
  if (atom === undefined || /^[*+?{}\]]$/.test(atom)) {
    throw cursor.broken(`${JSON.stringify(rest[0] ?? "")} is out of place`);
  }
  cursor.skip(atom.length);
  return { type: "set", set: setOf(atom) };
}

/** Applies the quantifier that follows a node, if there is one. */
function readRepeat(cursor: Cursor, of: Node): Node {
  const mark = /^(?:[*+?]|\{(\d{1,4})(,?)(\d{0,4})\})/.exec(cursor.next(12));
  if (!mark) return of;
  cursor.skip(mark[0].length);
  const [symbol, from, comma, to] = mark;
  const min = from === undefined ? (symbol === "+" ? 1 : 0) : Number(from);
  const max = from === undefined
    ? (symbol === "?" ? 1 : Infinity)
    : comma === ""
    ? min
    : to === ""
    ? Infinity
    : Number(to);
  if (max < min) throw cursor.broken("the numbers of a count are out of order");
  const node: Node = { type: "repeat", of, min, max, lazy: cursor.take("?") };
  return from === undefined && cursor.take("+") ? { type: "atomic", of: node } : node;
}

const sets = new Map<string, CharSet>();

/** Returns the character set of an atom, evaluated by JavaScript's own RegExp. */
function setOf(source: string): CharSet {
  const known = sets.get(source);
  if (known) return known;
  // A backslash before a character that needs none has no effect.
  const one = new RegExp(`^${/^\\[^\p{L}\p{N}$()*+./?[\\\]^{|}]$/u.test(source) ? source.slice(1) : source}$`, "u");
  const set = cacheCharSet((code) => one.test(String.fromCodePoint(code)));
  if (sets.size >= 512) sets.clear();
  sets.set(source, set);
  return set;
}
