/**
 * Backtracking search with memoization: no step of a pattern is tried twice at the same place of a text, so that time
 * is linear in the text (as in RE2's BitState, and in Ruby since 3.2: Davis, Servant, Lee, "Using Selective Memoization
 * to Defeat Regular Expression Denial of Service", 2021). Leftmost, greedy, alternatives in order: matches are those of
 * JavaScript's RegExp.
 */
import { AttuneError } from "../base/errors.ts";
import type { PatternNode } from "./node.ts";
import { ATOMIC, CHAR, compile, EDGE, END, JUMP, LOOK, RUN, SPLIT, START, type Step } from "./steps.ts";
import { characterWidth, previousPlace } from "./text.ts";

/** The most steps per character of a text; patterns of real tokenizers need about twenty. */
const WORK = 100;

/** Returns the end of the match that begins at a place of a text, or -1. Calls must be in ascending order of places. */
export type Search = (at: number) => number;

/** A set of (step, place) pairs, each encoded as one number. */
type Places = { has(place: number): boolean; add(place: number): void; clear(from: number, count: number): void };

/** Per RUN step: the extent of its last run, and the ends of it after which the rest of the pattern has failed. */
type Runs = Readonly<Record<"from" | "to" | "failedFrom" | "failedTo", Int32Array>>;

/** The state that all match attempts on one text share. */
type Subject = { readonly steps: readonly Step[]; readonly ids: number; readonly text: string; workLeft: number };

/** One match attempt: its step in the pattern, its place in the text, and the choices to backtrack to. */
type Thread = {
  readonly subject: Subject;
  pc: number;
  at: number;
  /** The stack of open choices: for each the step, the place, and for runs the smallest and largest end. */
  readonly choices: number[];
  /** The length of the stack; numbers beyond it are left over from choices that were taken. */
  depth: number;
  readonly visited: Places;
  readonly runs: Runs;
};

/**
 * Creates a search for a pattern in texts, which takes time proportional to their length.
 *
 * @throws SyntaxError if the pattern is too long. The search throws AttuneError if a text takes too many steps.
 */
export function searchFor(pattern: PatternNode): (text: string) => Search {
  const { steps, ids } = compile(pattern);
  return (text) => {
    if (ids * (text.length + 1) > 2 ** 29) throw tooMuch(text);
    const subject = { steps, ids, text, workLeft: 10_000 + WORK * text.length };
    const thread = startThread(subject, bitPlaces(ids * (text.length + 1)));
    return (at) => {
      const end = match(thread, 0, at);
      if (end >= 0) forgetPath(thread, end);
      return end;
    };
  };
}

function startThread(subject: Subject, visited: Places): Thread {
  const fresh = (): Int32Array => new Int32Array(subject.ids).fill(-1);
  const runs = { from: fresh(), to: fresh(), failedFrom: fresh(), failedTo: fresh() };
  return { subject, pc: 0, at: 0, choices: [], depth: 0, visited, runs };
}

/** Returns the end of a match from step `pc` on at place `at`, or -1. */
function match(thread: Thread, pc: number, at: number): number {
  const { subject } = thread;
  const { steps, text } = subject;
  thread.depth = 0;
  thread.pc = pc;
  thread.at = at;
  for (;;) {
    if (--subject.workLeft < 0) throw tooMuch(text);
    const step = steps[thread.pc] as Step;
    let goesOn = true;
    switch (step.op) {
      case CHAR:
        goesOn = takeCharacter(thread, step);
        break;
      case SPLIT:
        goesOn = split(thread, step);
        break;
      case RUN:
        goesOn = takeRun(thread, step);
        break;
      case JUMP:
        thread.pc = step.x;
        break;
      case START:
        goesOn = thread.at === 0;
        thread.pc++;
        break;
      case END:
        goesOn = thread.at === text.length;
        thread.pc++;
        break;
      case EDGE:
        goesOn = isEdge(text, thread.at, step) !== step.negated;
        thread.pc++;
        break;
      case LOOK:
      case ATOMIC:
        goesOn = matchApart(thread, step);
        break;
      default:
        return thread.at;
    }
    if (!goesOn && !goBack(thread)) return -1;
  }
}

function takeCharacter(thread: Thread, step: Step): boolean {
  const { text } = thread.subject;
  const code = thread.at < text.length ? text.codePointAt(thread.at) ?? -1 : -1;
  if (code < 0 || !step.set(code)) return false;
  thread.at += code > 0xffff ? 2 : 1;
  thread.pc++;
  return true;
}

function split(thread: Thread, step: Step): boolean {
  const { subject, at, visited } = thread;
  const { steps, text, ids } = subject;
  const first = steps[step.x] as Step;
  const place = at * ids + step.id;
  if (first.op === CHAR && !(at < text.length && first.set(text.codePointAt(at) ?? 0))) {
    // A lazy loop that comes back here without having taken a character fails.
    if (step.y === thread.pc + 1) {
      if (visited.has(place)) return false;
      visited.add(place);
    }
    thread.pc = step.y;
    return true;
  }
  if (visited.has(place)) return false;
  visited.add(place);
  choose(thread, step.y, at, -1, -1);
  thread.pc = step.x;
  return true;
}

function takeRun(thread: Thread, step: Step): boolean {
  const { subject, at, visited, runs } = thread;
  const place = at * subject.ids + step.id;
  if (visited.has(place)) return false;
  visited.add(place);
  const most = reach(runs, subject, step, at);
  const end = runs.failedTo[step.id] === most ? previousPlace(subject.text, runs.failedFrom[step.id] ?? 0) : most;
  if (end < at) return false;
  choose(thread, thread.pc, end, at, most);
  thread.at = end;
  thread.pc++;
  return true;
}

/** Returns the end of a run that begins at a place. */
function reach({ from, to }: Runs, subject: Subject, { set, id }: Step, at: number): number {
  const { text } = subject;
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
    subject.workLeft--;
  }
  from[id] = at;
  to[id] = end;
  return end;
}

/** Whether exactly one of the two characters next to a place is in the set. */
function isEdge(text: string, at: number, { set }: Step): boolean {
  const before = previousPlace(text, at);
  const isBefore = before >= 0 && set(text.codePointAt(before) ?? 0);
  return isBefore !== (at < text.length && set(text.codePointAt(at) ?? 0));
}

/** Matches a lookaround or an atomic group, in a thread of its own. */
function matchApart(thread: Thread, step: Step): boolean {
  const { subject, pc } = thread;
  const { steps, text } = subject;
  let begin = thread.at;
  for (let i = 0; i < step.behind && begin >= 0; i++) begin = begin === 0 ? -1 : previousPlace(text, begin);
  const inner = steps[pc + 1] as Step;
  // A lookaround of a single character needs no thread.
  const end = begin < 0
    ? -1
    : inner.op === CHAR && step.x === pc + 3
    ? (begin < text.length && inner.set(text.codePointAt(begin) ?? 0) ? begin + characterWidth(text, begin) : -1)
    : match(startThread(subject, sparsePlaces()), pc + 1, begin);
  thread.pc = step.x;
  if (step.op === LOOK) return (end >= 0) !== step.negated;
  if (end >= 0) thread.at = end;
  return end >= 0;
}

/** Pushes a choice; `least` is -1 for a choice that is not a run. */
function choose(thread: Thread, pc: number, at: number, least: number, most: number): void {
  const { choices, depth } = thread;
  choices[depth] = pc;
  choices[depth + 1] = at;
  choices[depth + 2] = least;
  choices[depth + 3] = most;
  thread.depth = depth + 4;
}

/** Backtracks to the last open choice; returns false if there is none. */
function goBack(thread: Thread): boolean {
  const { subject, choices, runs } = thread;
  while (thread.depth > 0) {
    const last = thread.depth - 4;
    const pc = choices[last] ?? 0;
    const at = choices[last + 1] ?? 0;
    const least = choices[last + 2] ?? -1;
    if (least < 0) {
      thread.depth = last;
      thread.at = at;
      thread.pc = pc;
      return true;
    }
    // The rest of the pattern has failed after this run: give back one character, and never retry from there on.
    const most = choices[last + 3] ?? -1;
    const { id } = subject.steps[pc] as Step;
    runs.failedFrom[id] = runs.failedTo[id] === most ? Math.min(runs.failedFrom[id] ?? at, at) : at;
    runs.failedTo[id] = most;
    subject.workLeft--;
    const shorter = previousPlace(subject.text, at);
    if (shorter < least) {
      thread.depth = last;
      continue;
    }
    choices[last + 1] = shorter;
    thread.at = shorter;
    thread.pc = pc + 1;
    return true;
  }
  return false;
}

/** Unmarks the pairs at the end of a match, where the next one may start: they are on its path and have not failed. */
function forgetPath({ subject: { ids, text }, visited, runs }: Thread, end: number): void {
  visited.clear(end * ids, ids);
  for (let id = 0; id < ids; id++) {
    if ((runs.failedFrom[id] ?? -1) <= end) runs.failedFrom[id] = end + characterWidth(text, end);
  }
}

function bitPlaces(count: number): Places {
  const bits = new Uint8Array(Math.ceil(count / 8));
  return {
    has: (place) => ((bits[place >> 3] ?? 0) & (1 << (place & 7))) !== 0,
    add: (place) => void (bits[place >> 3] = (bits[place >> 3] ?? 0) | (1 << (place & 7))),
    clear: (from, n) => {
      for (let i = from; i < from + n; i++) bits[i >> 3] = (bits[i >> 3] ?? 0) & ~(1 << (i & 7));
    },
  };
}

function sparsePlaces(): Places {
  const places = new Set<number>();
  return { has: (place) => places.has(place), add: (place) => void places.add(place), clear: () => places.clear() };
}

function tooMuch({ length }: string): AttuneError {
  return new AttuneError(`A pattern takes too many steps on a text of ${length} characters`, { code: "BAD_PATTERN" });
}
