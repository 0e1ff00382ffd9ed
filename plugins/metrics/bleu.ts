/**
 * BLEU.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { type BleuTokenizer, bleuTokens } from "./bleu/tokenizers.ts";
import {
  addToMean,
  common,
  countItems,
  emptyMean,
  finite,
  type Mean,
  meanOf,
  mergeMeans,
  ngrams,
} from "../../blocks/metric/mod.ts";

/** Options of {@link bleu}, as sacreBLEU has them. */
export interface BleuOptions {
  /** How to tokenize texts. */
  readonly tokenize: BleuTokenizer;
  /** Compare in lower case. */
  readonly lowercase: boolean;
  /** Smoothing of n-gram orders without a match (Chen & Cherry 2014). */
  readonly smoothMethod: "exp" | "floor" | "add-k" | "none";
  /** The value that `floor` and `add-k` add; defaults 0.1 and 1. */
  readonly smoothValue?: number | undefined;
  /** The longest n-gram. */
  readonly maxNgramOrder: number;
  /** Whether to leave out orders that are longer than the text. */
  readonly effectiveOrder: boolean;
  /** One score for all texts together, or the mean over texts. */
  readonly level: "corpus" | "sentence";
}

/** Matching n-grams and all n-grams, by order, and lengths in tokens. */
type Stats = Readonly<
  { correct: readonly number[]; total: readonly number[]; systemLength: number; referenceLength: number }
>;
type State = Readonly<{ stats: Stats; scores: Mean }>;

/**
 * BLEU in percent (Papineni et al. 2002) as sacreBLEU computes it (Post 2018): the geometric mean of n-gram precisions
 * times the brevity penalty. Keys: `bleu`, and for a corpus `bleu_brevityPenalty`, `bleu_p1` to `bleu_p4`,
 * `bleu_systemLength`, `bleu_referenceLength`.
 *
 * @example
 * ```ts
 * import { bleu } from "attune/metrics/bleu";
 * const metric = bleu();
 * const text = "the cat sat on the mat";
 * const { bleu: score } = metric.compute(metric.update(metric.init(), { prediction: text, references: [text] }));
 * console.assert(Math.abs((score ?? 0) - 100) < 1e-9);
 * ```
 */
export const bleu: Factory<"metric", Partial<BleuOptions>> = define({
  kind: "metric",
  name: "bleu",
  schema: v.strictObject({
    tokenize: v.optional(v.picklist(["13a", "intl", "zh", "char", "none"]), "13a"),
    lowercase: v.optional(v.boolean(), false),
    smoothMethod: v.optional(v.picklist(["exp", "floor", "add-k", "none"]), "exp"),
    smoothValue: v.optional(v.pipe(v.number(), v.minValue(0))),
    maxNgramOrder: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16)), 4),
    effectiveOrder: v.optional(v.boolean(), false),
    level: v.optional(v.picklist(["corpus", "sentence"]), "corpus"),
  }),
  create: (options: BleuOptions) => {
    const zeros = Array.from({ length: options.maxNgramOrder }, () => 0);
    const empty: Stats = { correct: zeros, total: zeros, systemLength: 0, referenceLength: 0 };
    return {
      reads: ["text"],
      greaterIsBetter: true,
      init: (): State => ({ stats: empty, scores: emptyMean }),
      update: (state: State, example: MetricInputs["text"]): State => {
        const stats = statsOf(example, options);
        const score = options.level === "sentence" ? scoreOf(stats, options).score : 0;
        return { stats: add(state.stats, stats), scores: addToMean(state.scores, score) };
      },
      merge: (a: State, b: State): State => ({ stats: add(a.stats, b.stats), scores: mergeMeans(a.scores, b.scores) }),
      compute: ({ stats, scores }: State) => {
        if (options.level === "sentence") return { bleu: meanOf(scores) };
        const { score, brevityPenalty, precisions } = scoreOf(stats, options);
        const some = scores.count > 0;
        return {
          bleu: some ? finite(score) : null,
          bleu_brevityPenalty: some ? brevityPenalty : null,
          ...Object.fromEntries(precisions.map((p, i) => [`bleu_p${i + 1}`, some ? p : null])),
          bleu_systemLength: stats.systemLength,
          bleu_referenceLength: stats.referenceLength,
        };
      },
    };
  },
});

function statsOf({ prediction, references }: MetricInputs["text"], options: BleuOptions): Stats {
  const { tokenize, lowercase, maxNgramOrder } = options;
  const guess = bleuTokens(prediction, tokenize, lowercase);
  const golds = references.map((reference) => bleuTokens(reference, tokenize, lowercase));
  const [correct, total]: [number[], number[]] = [[], []];
  for (let n = 1; n <= maxNgramOrder; n++) {
    // An n-gram matches at most as often as it occurs in one reference.
    const most = new Map<string, number>();
    for (const gold of golds) {
      for (const [gram, count] of countItems(ngrams(gold, n))) most.set(gram, Math.max(count, most.get(gram) ?? 0));
    }
    correct.push(common(countItems(ngrams(guess, n)), most));
    total.push(Math.max(0, guess.length - n + 1));
  }
  return {
    correct,
    total,
    systemLength: guess.length,
    referenceLength: closest(guess.length, golds.map((g) => g.length)),
  };
}

/** Returns the length nearest to `length`; of two, the shorter. */
function closest(length: number, lengths: readonly number[]): number {
  return lengths.toSorted((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b)[0] ?? 0;
}

function add(a: Stats, b: Stats): Stats {
  return {
    correct: a.correct.map((x, i) => x + (b.correct[i] ?? 0)),
    total: a.total.map((x, i) => x + (b.total[i] ?? 0)),
    systemLength: a.systemLength + b.systemLength,
    referenceLength: a.referenceLength + b.referenceLength,
  };
}

function scoreOf(
  { correct, total, systemLength, referenceLength }: Stats,
  { smoothMethod, smoothValue, effectiveOrder, maxNgramOrder }: BleuOptions,
): Readonly<{ score: number; brevityPenalty: number; precisions: readonly number[] }> {
  const brevityPenalty = systemLength >= referenceLength
    ? 1
    : systemLength > 0
    ? Math.exp(1 - referenceLength / systemLength)
    : 0;
  const precisions = correct.map(() => 0);
  if (correct.every((n) => n === 0)) return { score: 0, brevityPenalty, precisions };
  let halving = 1;
  let order = maxNgramOrder;
  for (let n = 0; n < maxNgramOrder; n++) {
    const more = smoothMethod === "add-k" && n > 0 ? smoothValue ?? 1 : 0;
    const [right, all] = [(correct[n] ?? 0) + more, (total[n] ?? 0) + more];
    if (all === 0) break;
    if (effectiveOrder) order = n + 1;
    if (right > 0) precisions[n] = 100 * right / all;
    else if (smoothMethod === "exp") precisions[n] = 100 / ((halving *= 2) * all);
    else if (smoothMethod === "floor") precisions[n] = 100 * (smoothValue ?? 0.1) / all;
  }
  const logs = precisions.slice(0, order).reduce((sum, p) => sum + Math.log(p), 0);
  return { score: brevityPenalty * Math.exp(logs / order), brevityPenalty, precisions };
}
