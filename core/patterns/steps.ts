/** The instructions that a pattern's tree is compiled to, which a search executes. */
import type { CharSet, PatternNode } from "./node.ts";

/** The most steps of a pattern, with repetition counts expanded; patterns of real tokenizers have about fifty. */
const MAX_STEPS = 2000;

/** The operations of steps. */
export const CHAR = 0, SPLIT = 1, JUMP = 2, RUN = 3, START = 4, END = 5, EDGE = 6, LOOK = 7, ATOMIC = 8, DONE = 9;

/** One step. CHAR, RUN: take one or all characters in `set`. SPLIT: try `x`, then `y`. LOOK, ATOMIC: end before `x`. */
export type Step = {
  op: number;
  set: CharSet;
  x: number;
  y: number;
  /** For SPLIT and RUN: the number of the step in the set of tried (step, place) pairs. */
  id: number;
  negated: boolean;
  /** For a lookbehind: how many characters back it starts. */
  behind: number;
};

/** Compiles a pattern to steps, and counts the numbered ones. Throws SyntaxError if the pattern is too long. */
export function compile(pattern: PatternNode): Readonly<{ steps: readonly Step[]; ids: number }> {
  const steps: Step[] = [];
  emit(pattern, steps);
  push(steps, DONE);
  let ids = 0;
  for (const step of steps) if (step.op === SPLIT || step.op === RUN) step.id = ids++;
  return { steps, ids };
}

const never: CharSet = () => false;

function push(steps: Step[], op: number, more: Partial<Step> = {}): Step {
  if (steps.length >= MAX_STEPS) throw new SyntaxError(`it has more than ${MAX_STEPS} steps`);
  const step = { op, set: never, x: 0, y: 0, id: 0, negated: false, behind: 0, ...more };
  steps.push(step);
  return step;
}

function emit(node: PatternNode, steps: Step[]): void {
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
