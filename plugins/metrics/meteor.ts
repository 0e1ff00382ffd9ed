/**
 * METEOR.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric, stem, words } from "../../blocks/metric/mod.ts";

/** Options of {@link meteor}. */
export interface MeteorOptions {
  /** The weight of precision relative to recall. */
  readonly alpha: number;
  /** The exponent of fragmentation in the penalty. */
  readonly beta: number;
  /** The largest penalty. */
  readonly gamma: number;
  /** Matching by WordNet's synonyms; not implemented. */
  readonly synonyms: false;
}

type Word = Readonly<{ at: number; text: string }>;
type Match = readonly [guess: number, gold: number];

/**
 * Word matches, exact and then by stem, weighted for order (Lavie & Agarwal 2007): the mean over rows of PR / (αP +
 * (1-α)R) · (1 - γ (chunks/matches)^β), for the best of several references. Text is cut at blanks and lower-cased.
 *
 * @example
 * ```ts
 * import { meteor } from "attune/metrics/meteor";
 * const metric = meteor();
 * const state = metric.update(metric.init(), { prediction: "dogs", references: ["cats"] });
 * console.assert(metric.compute(state).meteor === 0);
 * ```
 */
export const meteor: Factory<"metric", Partial<MeteorOptions>> = define({
  kind: "metric",
  name: "meteor",
  schema: v.strictObject({
    alpha: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0.9),
    beta: v.optional(v.pipe(v.number(), v.finite()), 3),
    gamma: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0.5),
    synonyms: v.optional(v.literal(false, "false, because matching synonyms would need WordNet"), false),
  }),
  create: (options: MeteorOptions) =>
    meanMetric("meteor", ["text"], ({ prediction, references }) => {
      const guess = wordsOf(prediction);
      return references.reduce((best, reference) => Math.max(best, score(guess, wordsOf(reference), options)), 0);
    }, { greaterIsBetter: true }),
});

function wordsOf(text: string): Word[] {
  return words(text).map((word, at) => ({ at, text: word.toLowerCase() }));
}

function score(guess: readonly Word[], gold: readonly Word[], { alpha, beta, gamma }: MeteorOptions): number {
  const exact = match(guess, gold, (word) => word);
  const unmatched = (side: 0 | 1, all: readonly Word[]): Word[] => {
    const taken = new Set(exact.map((pair) => pair[side]));
    return all.filter(({ at }) => !taken.has(at));
  };
  const matches = [...exact, ...match(unmatched(0, guess), unmatched(1, gold), stem)].sort((a, b) => a[0] - b[0]);
  if (matches.length === 0) return 0;
  const [precision, recall] = [matches.length / guess.length, matches.length / gold.length];
  const fragmentation = chunks(matches) / matches.length;
  return precision * recall / (alpha * precision + (1 - alpha) * recall) * (1 - gamma * fragmentation ** beta);
}

/** Matches words from the last one back, each with the last equal one that is free. */
function match(guess: readonly Word[], gold: readonly Word[], keyOf: (text: string) => string): Match[] {
  const free = new Map<string, number[]>();
  for (const { at, text } of gold) {
    const key = keyOf(text);
    const places = free.get(key);
    if (places) places.push(at);
    else free.set(key, [at]);
  }
  return guess.toReversed().flatMap(({ at, text }): Match[] => {
    const taken = free.get(keyOf(text))?.pop();
    return taken === undefined ? [] : [[at, taken]];
  });
}

/** Counts runs of matches that are adjacent on both sides. */
function chunks(matches: readonly Match[]): number {
  return matches.filter((pair, i) => {
    const before = matches[i - 1];
    return !(before && pair[0] === before[0] + 1 && pair[1] === before[1] + 1);
  }).length;
}
