/** Edit distance (Levenshtein 1966), and the error rates based on it. */
import type { MetricInputs } from "../../core/types.ts";
import { finite, type MetricParts } from "./mean.ts";

/** Returns the fewest insertions, deletions and substitutions that turn `a` into `b`, keeping two rows in memory. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  let row = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  let next = new Uint32Array(b.length + 1);
  for (let i = 1; i <= a.length; i++) {
    next[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    [row, next] = [next, row];
  }
  return row[b.length] ?? 0;
}

type State = Readonly<{ edits: number; length: number }>;

/**
 * Returns a metric of edits divided by the length of the references, both summed over all rows; of several references,
 * the one with the fewest edits counts. A unit has at least `charactersPerUnit` characters, blanks included.
 */
export function errorRate(
  name: string,
  unitsOf: (text: string) => readonly string[],
  charactersPerUnit: number,
): MetricParts {
  return {
    reads: ["text"],
    greaterIsBetter: false,
    init: (): State => ({ edits: 0, length: 0 }),
    update: (state: State, { prediction, references }: MetricInputs["text"]): State => {
      const guess = unitsOf(prediction);
      let best = { edits: guess.length, length: 0 };
      for (const [i, reference] of references.entries()) {
        const gold = unitsOf(reference);
        const edits = editDistance(guess, gold);
        if (i === 0 || edits < best.edits) best = { edits, length: gold.length };
      }
      return { edits: state.edits + best.edits, length: state.length + best.length };
    },
    steps: ({ prediction, references }: MetricInputs["text"]) =>
      references.reduce((sum, { length }) => sum + (prediction.length + 1) * (length + 1), 0) / charactersPerUnit ** 2,
    merge: (a: State, b: State): State => ({ edits: a.edits + b.edits, length: a.length + b.length }),
    compute: ({ edits, length }: State) => ({ [name]: finite(edits / length) }),
  };
}
