/**
 * chrF.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { common, countItems, finite, ngrams, punctuation, words } from "../../blocks/metric/mod.ts";

/** Options of {@link chrf}, as sacreBLEU has them. */
export interface ChrfOptions {
  /** The longest n-gram of characters. */
  readonly charOrder: number;
  /** The longest n-gram of words: 0 is chrF, 2 chrF++. */
  readonly wordOrder: number;
  /** How many times as important recall is as precision. */
  readonly beta: number;
  /** Compare in lower case. */
  readonly lowercase: boolean;
  /** Whether white space counts. */
  readonly whitespace: boolean;
  /**
   * Whether to average F over all orders, each at least 1e-16, instead of precision and recall over those that occur.
   */
  readonly epsSmoothing: boolean;
}

const order = (most: number): v.GenericSchema<number> =>
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));

/** For each order, the n-grams in the prediction, in the reference, and in both. */
type Stats = readonly (readonly [guess: number, gold: number, same: number])[];
type State = Readonly<{ rows: number; stats: Stats }>;
type Counts = readonly ReadonlyMap<string, number>[];

/**
 * The F-score of character n-grams in percent (Popović 2015, 2017) as sacreBLEU computes it; with several references,
 * the best one counts.
 *
 * @example
 * ```ts
 * import { chrf } from "attune/metrics/chrf";
 * const metric = chrf();
 * const state = metric.update(metric.init(), { prediction: "the cat", references: ["the cat"] });
 * console.assert(metric.compute(state).chrf === 100);
 * ```
 */
export const chrf: Factory<"metric", Partial<ChrfOptions>> = define({
  kind: "metric",
  name: "chrf",
  schema: v.strictObject({
    charOrder: v.optional(order(16), 6),
    wordOrder: v.optional(order(16), 0),
    beta: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)), 2),
    lowercase: v.optional(v.boolean(), false),
    whitespace: v.optional(v.boolean(), false),
    epsSmoothing: v.optional(v.boolean(), false),
  }),
  create: (options: ChrfOptions) => ({
    reads: ["text"],
    greaterIsBetter: true,
    init: (): State => ({
      rows: 0,
      stats: Array.from({ length: options.charOrder + options.wordOrder }, () => [0, 0, 0] as const),
    }),
    update: (state: State, { prediction, references }: MetricInputs["text"]): State => {
      const guess = countsOf(prediction, options);
      let best = statsOf(guess, countsOf("", options));
      let bestScore = -1;
      for (const reference of references) {
        const stats = statsOf(guess, countsOf(reference, options));
        const score = scoreOf(stats, options);
        if (score > bestScore) [best, bestScore] = [stats, score];
      }
      return { rows: state.rows + 1, stats: add(state.stats, best) };
    },
    merge: (a: State, b: State): State => ({ rows: a.rows + b.rows, stats: add(a.stats, b.stats) }),
    compute: ({ rows, stats }: State) => ({ chrf: rows > 0 ? finite(scoreOf(stats, options)) : null }),
  }),
});

function countsOf(text: string, { charOrder, wordOrder, lowercase, whitespace }: ChrfOptions): Counts {
  const line = lowercase ? text.toLowerCase() : text;
  const characters = Array.from(whitespace ? line : words(line).join(""));
  const tokens = wordOrder > 0 ? words(line).flatMap(withoutPunctuation) : [];
  return [
    ...Array.from({ length: charOrder }, (_, n) => countItems(ngrams(characters, n + 1))),
    ...Array.from({ length: wordOrder }, (_, n) => countItems(ngrams(tokens, n + 1))),
  ];
}

/** Splits off punctuation at the end of a word, or else at its beginning, as a word of its own. */
function withoutPunctuation(word: string): string[] {
  const characters = Array.from(word);
  const [first = "", last = ""] = [characters[0], characters.at(-1)];
  if (characters.length === 1) return [word];
  if (punctuation.has(last)) return [characters.slice(0, -1).join(""), last];
  if (punctuation.has(first)) return [first, characters.slice(1).join("")];
  return [word];
}

function statsOf(guess: Counts, gold: Counts): Stats {
  const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);
  return guess.map((counts, n) => {
    const other = gold[n] ?? new Map<string, number>();
    return [other.size > 0 ? total(counts) : 0, total(other), common(counts, other)];
  });
}

function add(a: Stats, b: Stats): Stats {
  return a.map(([guess, gold, same], n) => {
    const [g, r, s] = b[n] ?? [0, 0, 0];
    return [guess + g, gold + r, same + s];
  });
}

function scoreOf(stats: Stats, { beta, epsSmoothing }: ChrfOptions): number {
  const factor = beta * beta;
  let [sum, orders, precisions, recalls] = [0, 0, 0, 0];
  for (const [guess, gold, same] of stats) {
    const precision = guess > 0 ? same / guess : 1e-16;
    const recall = gold > 0 ? same / gold : 1e-16;
    const below = factor * precision + recall;
    sum += below > 0 ? (1 + factor) * precision * recall / below : 1e-16;
    if (guess > 0 && gold > 0) [precisions, recalls, orders] = [precisions + precision, recalls + recall, orders + 1];
  }
  if (epsSmoothing) return 100 * sum / stats.length;
  if (precisions + recalls === 0) return 0;
  const [precision, recall] = [precisions / orders, recalls / orders];
  return 100 * (1 + factor) * precision * recall / (factor * precision + recall);
}
