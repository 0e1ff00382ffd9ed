/**
 * Exact match.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { meanMetric, punctuation } from "../../blocks/metric/mod.ts";

/** Options of {@link exactMatch}. */
export interface ExactMatchOptions {
  /** Compare in lower case. */
  readonly ignoreCase: boolean;
  /** Compare without ASCII punctuation. */
  readonly ignorePunctuation: boolean;
  /** Compare without the digits 0 to 9. */
  readonly ignoreNumbers: boolean;
}

/**
 * The share of texts that equal one of their references.
 *
 * @example
 * ```ts
 * import { exactMatch } from "attune/metrics/exact-match";
 * const metric = exactMatch({ ignoreCase: true });
 * const state = metric.update(metric.init(), { prediction: "Yes", references: ["yes"] });
 * console.assert(metric.compute(state)["exact-match"] === 1);
 * ```
 */
export const exactMatch: Factory<"metric", Partial<ExactMatchOptions>> = define({
  kind: "metric",
  name: "exact-match",
  schema: v.strictObject({
    ignoreCase: v.optional(v.boolean(), false),
    ignorePunctuation: v.optional(v.boolean(), false),
    ignoreNumbers: v.optional(v.boolean(), false),
  }),
  create: ({ ignoreCase, ignorePunctuation, ignoreNumbers }: ExactMatchOptions) => {
    const plain = (text: string): string => {
      let out = ignoreCase ? text.toLowerCase() : text;
      if (ignorePunctuation) out = Array.from(out).filter((c) => !punctuation.has(c)).join("");
      return ignoreNumbers ? out.replace(/[0-9]/g, "") : out;
    };
    return meanMetric("exact-match", ["text"], ({ prediction, references }) => {
      const guess = plain(prediction);
      return references.some((reference) => plain(reference) === guess) ? 1 : 0;
    }, { greaterIsBetter: true });
  },
});
