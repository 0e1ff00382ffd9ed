/**
 * AdEMAMix.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import {
  type AdamOptions,
  commonEntries,
  elementwise,
  fraction,
  moveMean,
  moveSquare,
  nonNegative,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link ademamix}. */
export interface AdemamixOptions extends AdamOptions {
  /** Decay of the slow mean of gradients. */
  readonly beta3: number;
  /** The weight of the slow mean relative to the fast one. */
  readonly alpha: number;
  /** Steps in which alpha and beta3 grow to their values; null: they are constant. */
  readonly tAlphaBeta3: number | null;
}

/**
 * AdEMAMix (Pagliardini et al. 2024): AdamW with a second, slow mean of gradients n ← β₃n + (1-β₃)g,
 * w ← w - lr((m̂ + αn) / (√v̂ + ε) + λw). Both may grow in: α linearly, β₃ so that the mean's half-life does.
 *
 * @example
 * ```ts
 * import { ademamix } from "attune/optimizers/ademamix";
 * console.assert(ademamix({ tAlphaBeta3: 1000 }).state([2], "w").slow === 2);
 * ```
 */
export const ademamix: Factory<"optimizer", Partial<AdemamixOptions>> = define({
  kind: "optimizer",
  name: "ademamix",
  schema: v.strictObject({
    beta1: v.optional(fraction, 0.9),
    beta2: v.optional(fraction, 0.999),
    beta3: v.optional(v.pipe(v.number(), v.gtValue(0), v.ltValue(1)), 0.9999),
    alpha: v.optional(nonNegative, 5),
    tAlphaBeta3: v.optional(v.nullable(v.pipe(v.number(), v.minValue(1))), null),
    epsilon: v.optional(nonNegative, 1e-8),
    ...commonEntries(),
  }),
  create: (options: AdemamixOptions) => {
    const { beta1, beta2, epsilon } = options;
    return elementwise(options, { m: true, slow: true, v: true }, true, ({ step, learningRate }, { m, slow, v }) => {
      const { alpha, beta3 } = warmUpFactors(options, step);
      const fast = 1 / (1 - beta1 ** step);
      const root = Math.sqrt(1 - beta2 ** step);
      return (g, i) => {
        const mean = moveMean(m, i, beta1, g) * fast + alpha * moveMean(slow, i, beta3, g);
        return learningRate * (mean / (Math.sqrt(moveSquare(v, i, beta2, g)) / root + epsilon));
      };
    });
  },
});

function warmUpFactors(
  { alpha, beta1, beta3, tAlphaBeta3 }: AdemamixOptions,
  step: number,
): { alpha: number; beta3: number } {
  const share = tAlphaBeta3 === null ? 1 : step / tAlphaBeta3;
  if (share >= 1 || beta1 === 0) return { alpha: Math.min(1, share) * alpha, beta3 };
  const [from, to] = [Math.log(beta1), Math.log(beta3)];
  return { alpha: share * alpha, beta3: Math.min(beta3, Math.exp(from * to / ((1 - share) * to + share * from))) };
}
