/**
 * ROUGE.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { common, countItems, finite, ngrams, stem } from "../../blocks/metric/mod.ts";

/** `rouge1` to `rouge9`: n-grams; `rougeL`: the longest common subsequence; `rougeLsum`: its union over lines. */
export type RougeKind = `rouge${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}` | "rougeL" | "rougeLsum";

/** Options of {@link rouge}. */
export interface RougeOptions {
  /** The score or scores to compute. */
  readonly kind: RougeKind | readonly RougeKind[];
  /** Compare the stems of words longer than three letters. */
  readonly useStemmer: boolean;
}

const kinds: v.GenericSchema<RougeKind> = v.picklist([
  "rouge1",
  "rouge2",
  "rouge3",
  "rouge4",
  "rouge5",
  "rouge6",
  "rouge7",
  "rouge8",
  "rouge9",
  "rougeL",
  "rougeLsum",
]);

type Scores = readonly [precision: number, recall: number, f1: number];
type State = Readonly<{ rows: number; sums: { readonly [kind: string]: Scores } }>;

/**
 * The overlap of a text with its reference (Lin 2004): the mean over rows of F1, under `rouge1`, `rougeL` and so on, with
 * precision and recall under `rouge1_precision`, `rouge1_recall`. Of several references the one with the best F1 counts.
 * Words are runs of the letters a to z and digits.
 *
 * @example
 * ```ts
 * import { rouge } from "attune/metrics/rouge";
 * const metric = rouge({ kind: "rouge1" });
 * const state = metric.update(metric.init(), { prediction: "the cat", references: ["The cat!"] });
 * console.assert(metric.compute(state).rouge1 === 1);
 * ```
 */
export const rouge: Factory<"metric", Partial<RougeOptions>> = define({
  kind: "metric",
  name: "rouge",
  schema: v.strictObject({
    kind: v.optional(v.union([kinds, v.pipe(v.array(kinds), v.minLength(1), v.readonly())]), [
      "rouge1",
      "rouge2",
      "rougeL",
      "rougeLsum",
    ]),
    useStemmer: v.optional(v.boolean(), false),
  }),
  create: ({ kind, useStemmer }: RougeOptions) => {
    const wanted = typeof kind === "string" ? [kind] : kind;
    return {
      reads: ["text"],
      greaterIsBetter: true,
      init: (): State => ({ rows: 0, sums: Object.fromEntries(wanted.map((k) => [k, [0, 0, 0]])) }),
      update: (state: State, { prediction, references }: MetricInputs["text"]): State => {
        const sums: Record<string, Scores> = {};
        for (const k of wanted) {
          let best: Scores = [0, 0, -1];
          for (const reference of references) {
            const scores = score(k, reference, prediction, useStemmer);
            if (scores[2] > best[2]) best = scores;
          }
          sums[k] = add(state.sums[k], best[2] < 0 ? [0, 0, 0] : best);
        }
        return { rows: state.rows + 1, sums };
      },
      // The tables for subsequences have a cell for each pair of words.
      steps: ({ prediction, references }: MetricInputs["text"]) =>
        references.reduce((sum, { length }) => {
          const [n, m] = [prediction.length / 2 + 1, length / 2 + 1];
          return sum + wanted.reduce((all, k) => all + (k.startsWith("rougeL") ? n * m : n + m), 0);
        }, 0),
      merge: (a: State, b: State): State => ({
        rows: a.rows + b.rows,
        sums: Object.fromEntries(wanted.map((k) => [k, add(a.sums[k], b.sums[k])])),
      }),
      compute: ({ rows, sums }: State) => {
        const out: Record<string, number | null> = {};
        for (const k of wanted) {
          const [precision, recall, f1] = sums[k] ?? [0, 0, 0];
          out[k] = finite(f1 / rows);
          out[`${k}_precision`] = finite(precision / rows);
          out[`${k}_recall`] = finite(recall / rows);
        }
        return out;
      },
    };
  },
});

function score(kind: RougeKind, reference: string, prediction: string, useStemmer: boolean): Scores {
  const cut = (text: string): string[] => tokens(text, useStemmer);
  if (kind === "rougeLsum") {
    const lines = (text: string): string[][] => text.split("\n").filter((line) => line !== "").map(cut);
    return unitedSubsequences(lines(reference), lines(prediction));
  }
  const [gold, guess] = [cut(reference), cut(prediction)];
  if (kind === "rougeL") {
    return scoresOf(commonLength(gold, guess), guess.length, gold.length);
  }
  const n = Number(kind.slice(5));
  const [golds, guesses] = [ngrams(gold, n), ngrams(guess, n)];
  return scoresOf(common(countItems(golds), countItems(guesses)), guesses.length, golds.length);
}

function scoresOf(same: number, guesses: number, golds: number): Scores {
  const [precision, recall] = [guesses > 0 ? same / guesses : 0, golds > 0 ? same / golds : 0];
  return [precision, recall, same > 0 ? 2 * precision * recall / (precision + recall) : 0];
}

function tokens(text: string, useStemmer: boolean): string[] {
  const words = text.toLowerCase().split(/[^a-z0-9]+/).filter((word) => word !== "");
  return useStemmer ? words.map((word) => (word.length > 3 ? stem(word) : word)) : words;
}

/** Returns the length of the longest common subsequence; `step` gets, for each cell, where its length comes from. */
function commonLength(
  a: readonly string[],
  b: readonly string[],
  step: (i: number, j: number, from: "both" | "left" | "above") => void = () => {},
): number {
  let [before, row] = [new Uint32Array(b.length + 1), new Uint32Array(b.length + 1)];
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const [above, left] = [before[j] ?? 0, row[j - 1] ?? 0];
      const same = a[i - 1] === b[j - 1];
      row[j] = same ? (before[j - 1] ?? 0) + 1 : Math.max(above, left);
      step(i, j, same ? "both" : left > above ? "left" : "above");
    }
    [before, row] = [row, before];
  }
  return before[b.length] ?? 0;
}

/** The largest number of cells in the table for a pair of lines. */
const MOST_CELLS = 2 ** 27;

/** Returns the positions in `a` of a longest common subsequence. */
function places(a: readonly string[], b: readonly string[]): number[] {
  const width = b.length + 1;
  if ((a.length + 1) * width > MOST_CELLS) {
    const most = `lines whose word counts multiply to at most ${MOST_CELLS}`;
    throw badValue("rouge", "rougeLsum", a.length * b.length, most);
  }
  const steps = new Uint8Array((a.length + 1) * width);
  commonLength(a, b, (i, j, from) => {
    steps[i * width + j] = from === "both" ? 0 : from === "left" ? 1 : 2;
  });
  const indices: number[] = [];
  for (let [i, j] = [a.length, b.length]; i > 0 && j > 0;) {
    const from = steps[i * width + j];
    if (from === 0) indices.push(i - 1);
    if (from !== 1) i--;
    if (from !== 2) j--;
  }
  return indices;
}

/** Computes section 3.2 of the paper; a word counts at most as often as each side has it. */
function unitedSubsequences(golds: readonly (readonly string[])[], guesses: readonly (readonly string[])[]): Scores {
  const [goldLeft, guessLeft] = [countItems(golds.flat()), countItems(guesses.flat())];
  let hits = 0;
  for (const gold of golds) {
    const united = new Set(guesses.flatMap((guess) => places(gold, guess)));
    for (const place of united) {
      const word = gold[place] ?? "";
      const [a, b] = [goldLeft.get(word) ?? 0, guessLeft.get(word) ?? 0];
      if (a === 0 || b === 0) continue;
      hits++;
      goldLeft.set(word, a - 1);
      guessLeft.set(word, b - 1);
    }
  }
  return scoresOf(hits, guesses.flat().length, golds.flat().length);
}

function add(a: Scores | undefined, b: Scores | undefined): Scores {
  return [(a?.[0] ?? 0) + (b?.[0] ?? 0), (a?.[1] ?? 0) + (b?.[1] ?? 0), (a?.[2] ?? 0) + (b?.[2] ?? 0)];
}
