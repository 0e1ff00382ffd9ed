/**
 * Mixes weights with their initial values.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { add, sub, transpose } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { savedValues } from "../../blocks/regularizer/mod.ts";

/** Options of {@link mixout}. */
export interface MixoutOptions {
  /** The share of weights that are replaced by saved ones, drawn anew in every forward pass. */
  readonly p: number;
}

/**
 * Mixout (Lee et al. 2020): in training the weights w of linear layers become w₀ + m(w - w₀)/(1-p), m drawn as in
 * dropout, so that they are the saved ones w₀ with probability p and w on average. Layers without a saved weight stay
 * as they are. Intended as a replacement of dropout; each step draws a random number for every weight.
 *
 * @example
 * ```ts
 * import { mixout } from "attune/regularizers/mixout";
 * console.assert(mixout({ p: 0.7 }).name === "mixout");
 * ```
 */
export const mixout: Factory<"regularizer", Partial<MixoutOptions>> = define({
  kind: "regularizer",
  name: "mixout",
  schema: v.strictObject({ p: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0.9) }),
  create: ({ p }: MixoutOptions) => ({
    prepare: (probe) => {
      const weights = new Set(probe.linears.map((path) => `${path}.weight`));
      return savedValues(probe, (name) => weights.has(name));
    },
    around: (_, frozen) => ({
      linear: (b, call, next) => {
        const { weight, path } = call;
        const start = frozen[`${path}.weight`];
        if (!start) return next(call);
        const stored = b.graph.producer(weight)?.op === "Transpose" ? transpose(start) : start;
        return next({ ...call, weight: add(stored, b.dropout(sub(weight, stored), p)) });
      },
    }),
  }),
});
