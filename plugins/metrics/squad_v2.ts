/**
 * SQuAD 2.0's exact match and F1, with questions that have no answer.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { answerWords, bestAnswer } from "../../blocks/metric/mod.ts";
import { finite } from "../../blocks/metric/mod.ts";
import {
  addToTally,
  emptyTally,
  mergeTallies,
  type Tally,
  TALLY_LIMIT,
  tallyEntries,
} from "../../blocks/metric/mod.ts";

/** Options of {@link squadV2}. */
export interface SquadV2Options {
  /** Above this probability of no answer, the prediction counts as no answer. */
  readonly threshold: number;
}

/** The number of rows, and the sums of both scores. */
type Sums = [rows: number, exact: number, f1: number];

/** `gains`: for each no-answer probability, the gain of answering those rows over giving no answer. */
type State = { has: Sums; none: Sums; gains: Tally };

/**
 * Exact match and F1 in percent as the official script of SQuAD 2.0 (Rajpurkar et al. 2018): over all questions, those
 * with an answer (`hasAnswer...`), those without (`noAnswer...`), and at the best threshold of the probability of no
 * answer (`best...`, `best...Threshold`). A gold that normalises to nothing does not count. Keys:
 * `squad-v2_exactMatch`, `squad-v2_f1`, and so on. The state keeps 32,768 distinct probabilities exactly, see
 * `tally.ts`; equal ones stay on one side of a threshold.
 *
 * @example
 * ```ts
 * import { squadV2 } from "attune/metrics/squad-v2";
 * const metric = squadV2();
 * const state = metric.update(metric.init(), { prediction: "", references: [], noAnswerProbability: 0.9 });
 * console.assert(metric.compute(state)["squad-v2_f1"] === 100);
 * ```
 */
export const squadV2: Factory<"metric", Partial<SquadV2Options>> = define({
  kind: "metric",
  name: "squad-v2",
  schema: v.strictObject({ threshold: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 1) }),
  create: ({ threshold }: SquadV2Options) => ({
    reads: ["text"],
    greaterIsBetter: true,
    percent: true,
    init: (): State => ({ has: [0, 0, 0], none: [0, 0, 0], gains: emptyTally() }),
    update: (state: State, example: MetricInputs["text"]) => addRow(state, example, threshold),
    merge: (a: State, b: State): State => ({
      has: plus(a.has, b.has),
      none: plus(a.none, b.none),
      gains: mergeTallies(a.gains, b.gains),
    }),
    compute: (state: State) => {
      const all = plus(state.has, state.none);
      const out: Record<string, number | null> = {};
      for (const [i, name] of [[1, "ExactMatch"], [2, "F1"]] as const) {
        const percent = (sums: Sums): number | null => finite(100 * sums[i] / sums[0]);
        const best = bestThreshold(state, i === 1 ? "exact" : "f1");
        out[`squad-v2_${name === "F1" ? "f1" : "exactMatch"}`] = percent(all);
        out[`squad-v2_hasAnswer${name}`] = percent(state.has);
        out[`squad-v2_noAnswer${name}`] = percent(state.none);
        out[`squad-v2_best${name}`] = finite(100 * best.score / all[0]);
        out[`squad-v2_best${name}Threshold`] = all[0] > 0 ? best.at : null;
      }
      return out;
    },
  }),
});

function addRow(
  state: State,
  { prediction, references, noAnswerProbability = 0 }: MetricInputs["text"],
  threshold: number,
): State {
  const golds = references.map(answerWords).filter((gold) => gold.length > 0);
  const raw = bestAnswer(golds, answerWords(prediction));
  const has = references.length > 0;
  const [exact, f1] = noAnswerProbability > threshold ? [has ? 0 : 1, has ? 0 : 1] : [raw.exact, raw.f1];
  if (has) state.has = plus(state.has, [1, exact, f1]);
  else state.none = plus(state.none, [1, exact, f1]);
  const lost = prediction ? -1 : 0;
  addToTally(state.gains, "exact", [noAnswerProbability], TALLY_LIMIT, has ? raw.exact : lost);
  addToTally(state.gains, "f1", [noAnswerProbability], TALLY_LIMIT, has ? raw.f1 : lost);
  return state;
}

function plus(a: Sums, b: Sums): Sums {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

/** Finds the best threshold, starting with no answers and moving up past each probability. */
function bestThreshold(state: State, which: "exact" | "f1"): Readonly<{ score: number; at: number }> {
  let score = state.none[0];
  let best = { score, at: 0 };
  const gains = [...tallyEntries(state.gains)].filter(({ group }) => group === which);
  for (const { values: [at = 0], count } of gains.sort((a, b) => (a.values[0] ?? 0) - (b.values[0] ?? 0))) {
    score += count;
    if (score > best.score) best = { score, at };
  }
  return best;
}
