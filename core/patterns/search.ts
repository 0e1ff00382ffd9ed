/**
 * Backtracking that never tries the same place of a pattern at the same place of a text twice, so that its time grows
 * with the text alone (RE2's BitState, and what Ruby does since 3.2: Davis, Servant, Lee, "Using Selective Memoization to
 * Defeat Regular Expression Denial of Service", 2021). Leftmost, greedy, alternatives in order: what matches is what
 * JavaScript's own would match.
 */
import { AttuneError } from "../base/errors.ts";
import type { PatternNode } from "./node.ts";
import { ATOMIC, CHAR, compile, EDGE, END, JUMP, LOOK, RUN, SPLIT, START, type Step } from "./steps.ts";
import { characterWidth, previousPlace } from "./text.ts";

/** Work for each character that is still taken: patterns of the field need some twenty steps. */
const WORK = 100;

/** Where a match that begins at a place of a text ends, or -1. Places are to be asked for in order. */
export type Search = (at: number) => number;

/** A set of pairs of step and place, as one number each. */
type Places = { has(place: number): boolean; add(place: number): void; clear(from: number, count: number): void };

/** What each run was last seen to reach, and from where on what follows it is known to fail. */
type Runs = Readonly<Record<"from" | "to" | "failedFrom" | "failedTo", Int32Array>>;

/** What all attempts on one text share. */
type Subject = { readonly steps: readonly Step[]; readonly ids: number; readonly text: string; workLeft: number };

/** One attempt to match: where it stands in the pattern and in the text, and what it may go back to. */
type Thread = {
  readonly subject: Subject;
  pc: number;
  at: number;
  /** Of each choice that is left: the step, the place, and for runs the least and the most they may reach. */
  readonly choices: number[];
  /** How many of these numbers count; those behind are of choices that were taken. */
  depth: number;
  readonly visited: Places;
  readonly runs: Runs;
};

/**
 * What looks for a pattern in texts, in time in proportion to them.
 *
 * @throws SyntaxError where the pattern is too long. The search throws AttuneError where a text takes too many steps.
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

/** Where a match from a step on, at a place, ends, or -1. */
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
    // A loop that would rather end, and comes back here without a character between, fails.
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

/** Where a run ends that begins at a place. */
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

/** Whether one of the characters beside a place is of the set, and the other is not. */
function isEdge(text: string, at: number, { set }: Step): boolean {
  const before = previousPlace(text, at);
  const isBefore = before >= 0 && set(text.codePointAt(before) ?? 0);
  return isBefore !== (at < text.length && set(text.codePointAt(at) ?? 0));
}

/** What is looked at or never gone back into is matched by a thread of its own. */
function matchApart(thread: Thread, step: Step): boolean {
  const { subject, pc } = thread;
  const { steps, text } = subject;
  let begin = thread.at;
  for (let i = 0; i < step.behind && begin >= 0; i++) begin = begin === 0 ? -1 : previousPlace(text, begin);
  const inner = steps[pc + 1] as Step;
  // One character is looked at without further ado.
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

/** Remembers a choice; of one without a run, `least` is -1. */
function choose(thread: Thread, pc: number, at: number, least: number, most: number): void {
  const { choices, depth } = thread;
  choices[depth] = pc;
  choices[depth + 1] = at;
  choices[depth + 2] = least;
  choices[depth + 3] = most;
  thread.depth = depth + 4;
}

/** Goes back to the last choice that is left; false where there is none. */
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
    // What follows this run has failed here: one character less, and never again from here on.
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

/** What was tried has failed, but for the way to a match: it ends here, and nobody goes back behind it. */
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
