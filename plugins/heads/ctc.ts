/**
 * The head of connectionist temporal classification: from each position's state to logits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link ctc}. */
export interface CtcOptions {
  /** Number of classes, the blank among them. */
  readonly numLabels: number;
  /** Dropout on the hidden states, transformers' `final_dropout`. */
  readonly finalDropout: number;
}

/**
 * Logits [batch*seq, numLabels] of every position: dropout and one linear layer, `lm_head`, as in transformers' models
 * for CTC. Any encoder's states will do.
 *
 * @example
 * ```ts
 * import { ctc } from "attune/heads/ctc";
 * console.assert(ctc({ numLabels: 40 }).modulesToSave.includes("lm_head"));
 * ```
 */
export const ctc: Factory<"head", Partial<CtcOptions> & { numLabels: number }> = define({
  kind: "head",
  name: "ctc",
  schema: v.strictObject({
    numLabels: v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(most.labels)),
    finalDropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
  }),
  create: ({ numLabels, finalDropout }: CtcOptions) => ({
    modulesToSave: ["lm_head"],
    readsEncoder: true,
    forward: (b, states) => ({
      logits: b.linear("lm_head", b.dropout(states.encoder ?? states.hidden, finalDropout), { outFeatures: numLabels }),
    }),
  }),
});
