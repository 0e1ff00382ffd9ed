/**
 * SQuAD's exact match and F1.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { answerWords, bestAnswer, finite } from "../../blocks/metric/mod.ts";

type State = Readonly<{ rows: number; exact: number; f1: number }>;

/**
 * Exact match and F1 of words in percent, for the best reference, as in the official script of SQuAD 1.1 (Rajpurkar et
 * al. 2016). Keys: `squad_exactMatch`, `squad_f1`.
 *
 * @example
 * ```ts
 * import { squad } from "attune/metrics/squad";
 * const metric = squad();
 * const state = metric.update(metric.init(), { prediction: "the Cat!", references: ["cat"] });
 * console.assert(metric.compute(state).squad_exactMatch === 100);
 * ```
 */
export const squad: Factory<"metric"> = define({
  kind: "metric",
  name: "squad",
  schema: v.strictObject({}),
  create: () => ({
    reads: ["text"],
    greaterIsBetter: true,
    percent: true,
    init: (): State => ({ rows: 0, exact: 0, f1: 0 }),
    update: (state: State, { prediction, references }: MetricInputs["text"]): State => {
      const { exact, f1 } = bestAnswer(references.map(answerWords), answerWords(prediction));
      return { rows: state.rows + 1, exact: state.exact + exact, f1: state.f1 + f1 };
    },
    merge: (a: State, b: State): State => ({ rows: a.rows + b.rows, exact: a.exact + b.exact, f1: a.f1 + b.f1 }),
    compute: ({ rows, exact, f1 }: State) => ({
      squad_exactMatch: finite(100 * exact / rows),
      squad_f1: finite(100 * f1 / rows),
    }),
  }),
});
