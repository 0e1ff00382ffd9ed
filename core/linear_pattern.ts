/**
 * Regular expressions that come in a file, matched in time that grows with the text alone: backtracking which never
 * tries the same place of the pattern at the same place of the text twice (RE2's BitState, and what Ruby does since 3.2:
 * Davis, Servant, Lee, "Using Selective Memoization to Defeat Regular Expression Denial of Service", 2021).
 * Leftmost, greedy, alternatives in order: what matches is what JavaScript's own would match.
 * @module
 */
import { AttuneError } from "./errors.ts";

/** What String's own methods ask of a pattern; a RegExp with the flag g is one, too. */
export type Pattern = Pick<
  RegExp,
  "flags" | typeof Symbol.matchAll | typeof Symbol.match | typeof Symbol.replace | typeof Symbol.split
>;

/** Longer patterns, once their counts are written out, are refused; those of the field have some fifty steps. */
const MAX_STEPS = 2000;
const MAX_DEPTH = 50;

/** Work for each character that is still taken: patterns of the field need some twenty steps. */
const WORK = 100;

const [CHAR, SPLIT, JUMP, RUN, START, END, EDGE, LOOK, ATOMIC, DONE] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** Whether a character, by its code point, belongs. */
export type CharSet = (code: number) => boolean;

/** CHAR: `set`. SPLIT: `x` before `y`. JUMP: `x`. RUN: as many of `set` as there are. EDGE: where `set` begins or ends. LOOK, ATOMIC: what is up to `x`. */
type Step = {
  op: number;
  set: CharSet;
  x: number;
  y: number;
  /** Of SPLIT and RUN: which bit says that a place was tried. */
  id: number;
  negated: boolean;
  /** Of looking behind: so many characters. */
  behind: number;
};

/**
 * A pattern, read: a character of a set, others in a row or one of them, repeated, the start or end of the text, where a
 * set's stretches begin or end, and what is looked at (behind: so many characters back) or never gone back into.
 */
export type PatternNode =
  | Readonly<{ type: "set"; set: CharSet }>
  | Readonly<{ type: "all" | "any"; of: readonly PatternNode[] }>
  | Readonly<{ type: "repeat"; of: PatternNode; min: number; max: number; lazy: boolean }>
  | Readonly<{ type: "start" | "end" }>
  | Readonly<{ type: "edge"; set: CharSet; negated: boolean }>
  | Readonly<{ type: "look"; of: PatternNode; negated: boolean; behind: number }>
  | Readonly<{ type: "atomic"; of: PatternNode }>;

type Node = PatternNode;

/** Where a match that begins at a place of a text ends, or -1. Places are to be asked for in order. */
export type Search = (at: number) => number;

/** A set that remembers what was asked of it, by stretches of 256 characters. */
export function remembered(has: CharSet): CharSet {
  const pages: (Uint8Array | undefined)[] = [];
  return (code) => {
    const page = pages[code >> 8] ??= Uint8Array.from({ length: 256 }, (_, i) => (has((code & ~255) + i) ? 1 : 0));
    return page[code & 255] === 1;
  };
}

/**
 * What looks for a pattern in texts, in time in proportion to them.
 *
 * @throws SyntaxError where the pattern is too long. The search throws AttuneError where a text takes too many steps.
 */
export function searchFor(pattern: PatternNode): (text: string) => Search {
  const steps: Step[] = [];
  emit(pattern, steps);
  push(steps, DONE);
  let ids = 0;
  for (const step of steps) if (step.op === SPLIT || step.op === RUN) step.id = ids++;
  return (text) => searchOf(steps, text, ids);
}

/**
 * A pattern in the notation of JavaScript's flag u, with possessive quantifiers and atomic groups besides.
 *
 * @throws SyntaxError where it cannot be read, refers back to a group, or is too long. What it gives throws AttuneError
 * where a text takes too many steps.
 */
export function linearPattern(source: string): Pattern {
  const searchIn = searchFor(parse(source));
  const found = function* (text: string): Generator<readonly [start: number, end: number]> {
    const search = searchIn(text);
    for (let at = 0; at <= text.length;) {
      const end = search(at);
      if (end >= 0) yield [at, end];
      // Behind an empty match as behind a place without one: the next character.
      at = end > at ? end : at + width(text, at);
    }
  };
  const all = (text: string): string[] => Array.from(found(text), ([start, end]) => text.slice(start, end));
  const cut = (text: string): [between: string[], rest: string] => {
    const between: string[] = [];
    let done = 0;
    for (const [start, end] of found(text)) {
      between.push(text.slice(done, start));
      done = end;
    }
    return [between, text.slice(done)];
  };
  return {
    // String's methods refuse a pattern without it.
    flags: "gu",
    [Symbol.matchAll]: function* (text: string) {
      for (const [index, end] of found(text)) {
        yield Object.assign([text.slice(index, end)], { index, input: text }) as unknown as RegExpExecArray;
      }
    } as unknown as Pattern[typeof Symbol.matchAll],
    [Symbol.match]: (text: string) => {
      const matches = all(text);
      return matches.length > 0 ? matches as unknown as RegExpMatchArray : null;
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

function width(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** Where the character before a place begins. */
function before(text: string, at: number): number {
  return at >= 2 && (text.codePointAt(at - 2) ?? 0) > 0xffff ? at - 2 : at - 1;
}

type Places = { has(place: number): boolean; add(place: number): void; clear(from: number, count: number): void };

function bits(count: number): Places {
  const held = new Uint8Array(Math.ceil(count / 8));
  return {
    has: (place) => ((held[place >> 3] ?? 0) & (1 << (place & 7))) !== 0,
    add: (place) => void (held[place >> 3] = (held[place >> 3] ?? 0) | (1 << (place & 7))),
    clear: (from, n) => {
      for (let i = from; i < from + n; i++) held[i >> 3] = (held[i >> 3] ?? 0) & ~(1 << (i & 7));
    },
  };
}

/** Looks for a match at one place after another, and says where it ends, or -1. */
function searchOf(steps: readonly Step[], text: string, ids: number): (at: number) => number {
  if (ids * (text.length + 1) > 2 ** 29) throw tooMuch(text);
  let left = 10_000 + WORK * text.length;
  // What a run was last seen to reach, and from where on what follows it is known to fail.
  type Runs = Readonly<Record<"from" | "to" | "failedFrom" | "failedTo", Int32Array>>;
  const noRuns = (): Runs => ({
    from: new Int32Array(ids).fill(-1),
    to: new Int32Array(ids).fill(-1),
    failedFrom: new Int32Array(ids).fill(-1),
    failedTo: new Int32Array(ids).fill(-1),
  });
  const reach = ({ from, to }: Runs, { set, id }: Step, at: number): number => {
    const [known, upTo] = [from[id] ?? -1, to[id] ?? -1];
    if (at >= known && at <= upTo && known >= 0) return upTo;
    let end = at;
    while (end < text.length) {
      if (end === known) {
        end = upTo;
        break;
      }
      const code = text.codePointAt(end) ?? 0;
      if (!set(code)) break;
      end += code > 0xffff ? 2 : 1;
      left--;
    }
    from[id] = at;
    to[id] = end;
    return end;
  };
  const match = (start: number, from: number, tried: Places, runs: Runs): number => {
    // Of each choice that is left: the step, the place, and for runs the least and the most they may reach.
    const choices: number[] = [];
    let [pc, at] = [start, from];
    for (;;) {
      if (--left < 0) throw tooMuch(text);
      const step = steps[pc] as Step;
      let fails = false;
      switch (step.op) {
        case CHAR: {
          const code = at < text.length ? text.codePointAt(at) ?? -1 : -1;
          if (code >= 0 && step.set(code)) {
            at += code > 0xffff ? 2 : 1;
            pc++;
          } else fails = true;
          break;
        }
        case SPLIT: {
          const first = steps[step.x] as Step;
          const place = at * ids + step.id;
          if (first.op === CHAR && !(at < text.length && first.set(text.codePointAt(at) ?? 0))) {
            // A loop that would rather end, and comes back here without a character between, fails.
            if (step.y === pc + 1) {
              if (tried.has(place)) fails = true;
              else tried.add(place);
            }
            pc = step.y;
            break;
          }
          if (tried.has(place)) fails = true;
          else {
            tried.add(place);
            choices.push(step.y, at, -1, -1);
            pc = step.x;
          }
          break;
        }
        case RUN: {
          const place = at * ids + step.id;
          if (tried.has(place)) {
            fails = true;
            break;
          }
          tried.add(place);
          const most = reach(runs, step, at);
          const end = runs.failedTo[step.id] === most ? before(text, runs.failedFrom[step.id] ?? 0) : most;
          if (end < at) {
            fails = true;
            break;
          }
          choices.push(pc, end, at, most);
          at = end;
          pc++;
          break;
        }
        case JUMP:
          pc = step.x;
          break;
        case START:
          fails = at !== 0;
          pc++;
          break;
        case END:
          fails = at !== text.length;
          pc++;
          break;
        case EDGE: {
          const inside = (i: number): boolean => i >= 0 && i < text.length && step.set(text.codePointAt(i) ?? 0);
          fails = (inside(before(text, at)) !== inside(at)) === step.negated;
          pc++;
          break;
        }
        case LOOK:
        case ATOMIC: {
          let begin = at;
          for (let i = 0; i < step.behind && begin >= 0; i++) begin = begin === 0 ? -1 : before(text, begin);
          const own = steps[pc + 1] as Step;
          // One character is looked at without further ado.
          const end = begin < 0
            ? -1
            : own.op === CHAR && step.x === pc + 3
            ? (begin < text.length && own.set(text.codePointAt(begin) ?? 0) ? begin + width(text, begin) : -1)
            : match(pc + 1, begin, apart(), noRuns());
          if (step.op === LOOK) fails = (end >= 0) === step.negated;
          else if (end < 0) fails = true;
          else at = end;
          pc = step.x;
          break;
        }
        default:
          return at;
      }
      if (!fails) continue;
      for (;;) {
        if (choices.length === 0) return -1;
        const most = choices.pop() ?? -1;
        const least = choices.pop() ?? -1;
        at = choices.pop() ?? 0;
        pc = choices.pop() ?? 0;
        if (least < 0) break;
        // What follows this run has failed here: one character less, and never again from here on.
        const { id } = steps[pc] as Step;
        runs.failedFrom[id] = runs.failedTo[id] === most ? Math.min(runs.failedFrom[id] ?? at, at) : at;
        runs.failedTo[id] = most;
        at = before(text, at);
        left--;
        if (at < least) continue;
        choices.push(pc, at, least, most);
        pc++;
        break;
      }
    }
  };
  const apart = (): Places => {
    const own = new Set<number>();
    return { has: (place) => own.has(place), add: (place) => void own.add(place), clear: () => own.clear() };
  };
  const tried = bits(ids * (text.length + 1));
  const runs = noRuns();
  return (at) => {
    const end = match(0, at, tried, runs);
    if (end >= 0) {
      // What was tried has failed, but for the way to this match: it ends here, and nobody goes back behind it.
      tried.clear(end * ids, ids);
      for (let id = 0; id < ids; id++) {
        if ((runs.failedFrom[id] ?? -1) <= end) runs.failedFrom[id] = end + width(text, end);
      }
    }
    return end;
  };
}

function tooMuch({ length }: string): AttuneError {
  return new AttuneError(`A pattern takes too many steps on a text of ${length} characters`, { code: "BAD_PATTERN" });
}

const never: CharSet = () => false;

function push(steps: Step[], op: number, more: Partial<Step> = {}): Step {
  if (steps.length >= MAX_STEPS) throw new SyntaxError(`it has more than ${MAX_STEPS} steps`);
  const step = { op, set: never, x: 0, y: 0, id: 0, negated: false, behind: 0, ...more };
  steps.push(step);
  return step;
}

function emit(node: Node, steps: Step[]): void {
  switch (node.type) {
    case "set":
      return void push(steps, CHAR, { set: node.set });
    case "start":
      return void push(steps, START);
    case "end":
      return void push(steps, END);
    case "edge":
      return void push(steps, EDGE, { set: node.set, negated: node.negated });
    case "all":
      return node.of.forEach((inner) => emit(inner, steps));
    case "any": {
      const ends: Step[] = [];
      node.of.forEach((inner, i) => {
        if (i === node.of.length - 1) return emit(inner, steps);
        const split = push(steps, SPLIT, { x: steps.length + 1 });
        emit(inner, steps);
        ends.push(push(steps, JUMP));
        split.y = steps.length;
      });
      for (const end of ends) end.x = steps.length;
      return;
    }
    case "look":
    case "atomic": {
      const look = push(steps, node.type === "look" ? LOOK : ATOMIC, node.type === "look" ? node : {});
      emit(node.of, steps);
      push(steps, DONE);
      look.x = steps.length;
      return;
    }
    case "repeat": {
      const { of, min, max, lazy } = node;
      const choose = (split: Step, into: number, past: number): void => {
        [split.x, split.y] = lazy ? [past, into] : [into, past];
      };
      for (let i = 0; i < min; i++) emit(of, steps);
      if (max === Infinity) {
        if (of.type === "set" && !lazy) return void push(steps, RUN, { set: of.set });
        const at = steps.length;
        const split = push(steps, SPLIT);
        emit(of, steps);
        push(steps, JUMP, { x: at });
        return choose(split, at + 1, steps.length);
      }
      const splits: [Step, number][] = [];
      for (let i = min; i < max; i++) {
        splits.push([push(steps, SPLIT), steps.length]);
        emit(of, steps);
      }
      for (const [split, into] of splits) choose(split, into, steps.length);
      return;
    }
  }
}

/** How many characters something matches, where that is always as many. */
export function fixedWidth(node: Node): number | undefined {
  switch (node.type) {
    case "set":
      return 1;
    case "start":
    case "end":
    case "edge":
    case "look":
      return 0;
    case "atomic":
      return fixedWidth(node.of);
    case "repeat": {
      const own = fixedWidth(node.of);
      return node.min === node.max && own !== undefined ? own * node.min : undefined;
    }
    case "all":
      return node.of.reduce<number | undefined>((sum, inner) => {
        const own = fixedWidth(inner);
        return sum === undefined || own === undefined ? undefined : sum + own;
      }, 0);
    case "any": {
      const widths = new Set(node.of.map(fixedWidth));
      return widths.size === 1 ? [...widths][0] : undefined;
    }
  }
}

function parse(source: string): Node {
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
      if (!take(")")) throw broken("a group does not end");
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
      if (behind === undefined) throw broken("what is looked for behind has no fixed length");
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
    if (/^\\[1-9k]/.test(source.slice(at, at + 2))) throw broken("what refers back to a group is not supported");
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
  if (at < source.length) throw broken("a group ends that has not begun");
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
