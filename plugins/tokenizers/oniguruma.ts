/**
 * Patterns in the notation of Oniguruma, in which those of tokenizer.json are written: its classes are Unicode's, ^ and $ stand
 * at lines, \h is a hexadecimal digit.
 * @module
 */
import { type CharSet, fixedWidth, type PatternNode, remembered } from "../../core/linear_pattern.ts";
import { classNamed, isOnigurumaWord } from "./unicode.ts";

const MAX_DEPTH = 50;

/** Options that hold in a part of a pattern: case does not matter, a dot is any character, blanks are left out. */
type Options = Readonly<{ i: boolean; m: boolean; x: boolean }>;

const START: PatternNode = { type: "start" };
const END: PatternNode = { type: "end" };
const set = (has: CharSet): PatternNode => ({ type: "set", set: has });
const all = (of: readonly PatternNode[]): PatternNode => (of.length === 1 && of[0] ? of[0] : { type: "all", of });
const any = (of: readonly PatternNode[]): PatternNode => (of.length === 1 && of[0] ? of[0] : { type: "any", of });
const look = (of: PatternNode, negated = false, behind = 0): PatternNode => ({ type: "look", of, negated, behind });
const lineFeed = set((code) => code === 10);
const anything: CharSet = () => true;

/** What a backslash and a letter stand for: classes, or one character. */
const classLetters: Readonly<Record<string, () => CharSet>> = {
  w: () => isOnigurumaWord,
  d: () => classOf("digit"),
  s: () => classOf("space"),
  h: () => classOf("xdigit"),
};
const charLetters: Readonly<Record<string, number>> = { t: 9, v: 11, n: 10, r: 13, b: 8, f: 12, a: 7, e: 27 };

function classOf(name: string): CharSet {
  const found = classNamed(name);
  if (!found) throw new SyntaxError(`there is no class of characters named ${name}`);
  return found;
}

/** The same characters in the other case. */
function inAnyCase(has: CharSet): CharSet {
  return remembered((code) => {
    if (has(code)) return true;
    const char = String.fromCodePoint(code);
    const upper = char.toUpperCase();
    return [char.toLowerCase(), upper, upper.toLowerCase()].some((other) => {
      const own = other.codePointAt(0) ?? 0;
      return other.length === (own > 0xffff ? 2 : 1) && own !== code && has(own);
    });
  });
}

/**
 * Reads a pattern.
 *
 * @throws SyntaxError where it cannot be read, or has what is not supported: what refers back to a group, calls, conditions.
 */
export function parseOniguruma(source: string): PatternNode {
  let at = 0;
  const broken = (problem: string): SyntaxError => new SyntaxError(`${problem} at character ${at}`);
  const take = (text: string): boolean => {
    if (!source.startsWith(text, at)) return false;
    at += text.length;
    return true;
  };
  const takeMatch = (regex: RegExp): RegExpExecArray | null => {
    regex.lastIndex = at;
    const found = regex.exec(source);
    if (found) at += found[0].length;
    return found;
  };
  const next = (): number => {
    const code = source.codePointAt(at);
    if (code === undefined) throw broken("the pattern ends too soon");
    at += code > 0xffff ? 2 : 1;
    return code;
  };

  const alternatives = (depth: number, given: Options): PatternNode => {
    if (depth > MAX_DEPTH) throw broken(`groups are nested deeper than ${MAX_DEPTH}`);
    let options = given;
    const ways: PatternNode[] = [];
    do {
      const of: PatternNode[] = [];
      while (at < source.length && source[at] !== "|" && source[at] !== ")") {
        if (options.x && takeMatch(/\s+|#[^\n]*/y)) continue;
        if (takeMatch(/\(\?#[^)]*\)/y)) continue;
        const turned = takeMatch(/\(\?([imx]*)(?:-([imx]*))?\)/y);
        if (turned) {
          options = withOptions(options, turned);
          // What an option is turned on for reaches to the end of the group, alternatives included.
          of.push(alternatives(depth + 1, options));
          break;
        }
        of.push(repeated(atom(depth, options), options));
      }
      ways.push(all(of));
    } while (take("|"));
    return any(ways);
  };

  const group = (depth: number, options: Options): PatternNode => {
    const inner = (own = options): PatternNode => {
      const node = alternatives(depth + 1, own);
      if (!take(")")) throw broken("a group does not end");
      return node;
    };
    if (take("?:")) return inner();
    if (take("?>")) return { type: "atomic", of: inner() };
    if (take("?=")) return look(inner());
    if (take("?!")) return look(inner(), true);
    for (const [mark, negated] of [["?<=", false], ["?<!", true]] as const) {
      if (take(mark)) return behind(inner(), negated);
    }
    const turned = takeMatch(/\?([imx]*)(?:-([imx]*))?:/y);
    if (turned) return inner(withOptions(options, turned));
    if (!takeMatch(/\?<[\p{L}_][\p{L}\p{N}_]*>/uy) && source[at] === "?") {
      throw broken("a group of a kind that is not supported begins");
    }
    return inner();
  };

  /** Alternatives that are looked for behind may have lengths of their own. */
  const behind = (node: PatternNode, negated: boolean): PatternNode => {
    const ways = (node.type === "any" ? node.of : [node]).map((way) => {
      const width = fixedWidth(way);
      if (width === undefined) throw broken("what is looked for behind has no fixed length");
      return look(way, negated, width);
    });
    return negated ? all(ways) : any(ways);
  };

  const atom = (depth: number, options: Options): PatternNode => {
    if (take("(")) return group(depth, options);
    if (take("^")) return any([START, all([look(lineFeed, false, 1), look(set(anything))])]);
    if (take("$")) return any([END, look(lineFeed)]);
    if (take(".")) return set(options.m ? anything : (code) => code !== 10);
    if (source[at] === "[") {
      at++;
      return set(remembered(cased(bracket(depth, options), options)));
    }
    if (take("\\")) return escaped(options);
    if (/[*+?)]/.test(source[at] ?? "")) throw broken(`${JSON.stringify(source[at] ?? "")} is out of place`);
    return literal(next(), options);
  };

  const literal = (code: number, options: Options): PatternNode => set(cased((other) => other === code, options));
  const cased = (has: CharSet, { i }: Options): CharSet => (i ? inAnyCase(has) : has);

  const escaped = (options: Options): PatternNode => {
    const letter = source[at] ?? "";
    if (take("A")) return START;
    if (take("z")) return END;
    if (take("Z")) return any([END, look(all([lineFeed, END]))]);
    if (take("b")) return { type: "edge", set: isOnigurumaWord, negated: false };
    if (take("B")) return { type: "edge", set: isOnigurumaWord, negated: true };
    if (take("N")) return set((code) => code !== 10);
    if (take("O")) return set(anything);
    if (take("R")) {
      const breaks = set((code) => code >= 10 && code <= 13 || code === 0x85 || code === 0x2028 || code === 0x2029);
      return { type: "atomic", of: any([all([set((code) => code === 13), lineFeed]), breaks]) };
    }
    if (/[1-9kgGKXyY]/.test(letter)) throw broken(`\\${letter} is not supported`);
    return set(remembered(cased(escapedSet(false), options)));
  };

  /** What a backslash begins, in brackets or not. */
  const escapedSet = (inBrackets: boolean): CharSet => {
    const property = takeMatch(/([pP])\{(\^?)([^{}]{1,64})\}/y);
    if (property) {
      const [, letter, not, name = ""] = property;
      const has = classOf(name);
      return (letter === "P") !== (not === "^") ? (code) => !has(code) : has;
    }
    const letter = source[at] ?? "";
    const made = classLetters[letter.toLowerCase()];
    if (made && letter !== "") {
      at++;
      const has = inBrackets && letter.toLowerCase() === "w" ? classOf("word") : made();
      return letter === letter.toLowerCase() ? has : (code) => !has(code);
    }
    const code = escapedChar();
    return (other) => other === code;
  };

  const escapedChar = (): number => {
    const number = takeMatch(/x\{([\da-fA-F]{1,8})\}|u([\da-fA-F]{4})|x([\da-fA-F]{1,2})/y);
    if (number) return parseInt(number[1] ?? number[2] ?? number[3] ?? "", 16);
    const octal = takeMatch(/0([0-7]{0,2})/y);
    if (octal) return parseInt(octal[1] || "0", 8);
    const letter = source[at] ?? "";
    if (/[cCM]/.test(letter)) throw broken(`\\${letter} is not supported`);
    return charLetters[letter] === undefined ? next() : (at++, charLetters[letter]);
  };

  /** The inside of brackets, up to the one that closes them. */
  const bracket = (depth: number, options: Options): CharSet => {
    if (depth > MAX_DEPTH) throw broken(`brackets are nested deeper than ${MAX_DEPTH}`);
    const not = take("^");
    const parts: CharSet[][] = [[]];
    let first = true;
    while (first || !take("]")) {
      if (at >= source.length) throw broken("a bracket does not end");
      const own = parts.at(-1) as CharSet[];
      if (first && take("]")) own.push((code) => code === 0x5d);
      else if (take("&&")) parts.push([]);
      else own.push(member(depth, options));
      first = false;
    }
    const has: CharSet = (code) => parts.every((of) => of.some((one) => one(code)));
    return not ? (code) => !has(code) : has;
  };

  const member = (depth: number, options: Options): CharSet => {
    const named = takeMatch(/\[:(\^?)([a-zA-Z]+):\]/y);
    if (named) {
      const has = classOf(named[2] ?? "");
      return named[1] ? (code) => !has(code) : has;
    }
    if (take("[")) return bracket(depth + 1, options);
    if (source[at] === "\\" && /[pPwWdDsShH]/.test(source[at + 1] ?? "")) {
      at++;
      return escapedSet(true);
    }
    const from = take("\\") ? escapedChar() : next();
    const ranges = source[at] === "-" && source[at + 1] !== "]" && source[at + 1] !== undefined &&
      !/^-(?:\[|&&|\\[pPwWdDsShH])/.test(source.slice(at, at + 3));
    if (!ranges) return (code) => code === from;
    at++;
    const to = take("\\") ? escapedChar() : next();
    if (to < from) throw broken("a range is out of order");
    return (code) => code >= from && code <= to;
  };

  const repeated = (of: PatternNode, options: Options): PatternNode => {
    let node = of;
    for (let times = 0;; times++) {
      if (options.x) takeMatch(/\s+/y);
      const mark = takeMatch(/[*+?]|\{(\d{1,4})\}|\{(\d{0,4}),(\d{0,4})\}/y);
      if (!mark || mark[0] === "{,}") {
        if (mark) at -= mark[0].length;
        return node;
      }
      if (times >= 8) throw broken("too many counts follow each other");
      const [symbol, exact, from, to] = mark;
      if (exact !== undefined) node = { type: "repeat", of: node, min: Number(exact), max: Number(exact), lazy: false };
      else if (from !== undefined) {
        const [min, max] = [Number(from), to === "" || to === undefined ? Infinity : Number(to)];
        if (max < min) throw broken("the numbers of a count are out of order");
        node = { type: "repeat", of: node, min, max, lazy: take("?") };
      } else {
        const min = symbol === "+" ? 1 : 0;
        node = { type: "repeat", of: node, min, max: symbol === "?" ? 1 : Infinity, lazy: take("?") };
        if (!node.lazy && take("+")) node = { type: "atomic", of: node };
      }
    }
  };

  const node = alternatives(0, { i: false, m: false, x: false });
  if (at < source.length) throw broken("a group ends that has not begun");
  return node;
}

function withOptions(options: Options, [, on = "", off = ""]: readonly (string | undefined)[]): Options {
  const turned: Record<"i" | "m" | "x", boolean> = { ...options };
  for (const letter of on) turned[letter as "i"] = true;
  for (const letter of off) turned[letter as "i"] = false;
  return turned;
}
