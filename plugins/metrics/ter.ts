/**
 * Translation edit rate.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { terEdits } from "./ter/shifts.ts";
import { words } from "../../blocks/metric/mod.ts";

/** Options of {@link ter}, as sacreBLEU has them. */
export interface TerOptions {
  /** Compare without punctuation. */
  readonly noPunct: boolean;
  /** Whether to compare with case instead of in lower case. */
  readonly caseSensitive: boolean;
}

/** The largest number of shifts tried for a sentence. */
const CANDIDATES = 1000;

type State = Readonly<{ rows: number; edits: number; length: number }>;

/**
 * Edits, including shifts of word sequences, divided by the words of the references, in percent (Snover et al. 2006),
 * as sacreBLEU computes it. Of several references the fewest edits count, over their mean length.
 *
 * @example
 * ```ts
 * import { ter } from "attune/metrics/ter";
 * const metric = ter();
 * const state = metric.update(metric.init(), { prediction: "b c d a", references: ["a b c d"] });
 * console.assert(metric.compute(state).ter === 25);
 * ```
 */
export const ter: Factory<"metric", Partial<TerOptions>> = define({
  kind: "metric",
  name: "ter",
  schema: v.strictObject({
    noPunct: v.optional(v.boolean(), false),
    caseSensitive: v.optional(v.boolean(), false),
  }),
  create: (options: TerOptions) => ({
    reads: ["text"],
    greaterIsBetter: false,
    init: (): State => ({ rows: 0, edits: 0, length: 0 }),
    update: (state: State, { prediction, references }: MetricInputs["text"]): State => {
      const guess = tokens(prediction, options);
      const golds = (references.length > 0 ? references : [""]).map((reference) => tokens(reference, options));
      return {
        rows: state.rows + 1,
        edits: state.edits + golds.reduce((least, gold) => Math.min(least, terEdits(guess, gold)), Infinity),
        length: state.length + golds.reduce((sum, gold) => sum + gold.length, 0) / golds.length,
      };
    },
    steps: ({ prediction, references }: MetricInputs["text"]) => {
      const n = prediction.length / 2;
      // Candidates are only compared near the diagonal.
      return references.reduce((sum, { length }) => {
        const m = length / 2;
        return sum + Math.min(CANDIDATES, 10 * n) * n * Math.min(m, 50 + m / (n + 1));
      }, n);
    },
    merge: (a: State, b: State): State => ({
      rows: a.rows + b.rows,
      edits: a.edits + b.edits,
      length: a.length + b.length,
    }),
    compute: ({ rows, edits, length }: State) => ({
      ter: rows === 0 ? null : length > 0 ? 100 * edits / length : edits > 0 ? 100 : 0,
    }),
  }),
});

function tokens(text: string, { noPunct, caseSensitive }: TerOptions): string[] {
  const line = caseSensitive ? text : text.toLowerCase();
  return words(noPunct ? line.replace(/[.,?:;!"()]/gu, "") : line);
}
