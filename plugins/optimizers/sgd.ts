/**
 * Stochastic gradient descent.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Span } from "../../core/types.ts";

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** Share of the last step's direction that is kept. */
  readonly momentum: number;
  /** Share of the gradient that does not enter the momentum. */
  readonly dampening: number;
  /** Looks one momentum step ahead. */
  readonly nesterov: boolean;
  /** λ of an L2 term in the gradient. */
  readonly weightDecay: number;
}

/** Schema of {@link SgdOptions}. */
export const sgdSchema: v.GenericSchema<Partial<SgdOptions>, SgdOptions> = v.pipe(
  v.strictObject({
    momentum: v.optional(v.pipe(v.number(), v.minValue(0)), 0),
    dampening: v.optional(v.number(), 0),
    nesterov: v.optional(v.boolean(), false),
    weightDecay: v.optional(v.pipe(v.number(), v.minValue(0)), 0),
  }),
  v.check(
    (o) => !o.nesterov || (o.momentum > 0 && o.dampening === 0),
    "nesterov with a momentum and without dampening",
  ),
);

/**
 * SGD as torch.optim.SGD: g ← g + λw, b ← μb + (1-τ)g (b = g at first), w ← w - lr·b, or lr·(g + μb) with Nesterov.
 *
 * @example
 * ```ts
 * import { sgd } from "attune/optimizers/sgd";
 * console.assert(sgd().state([3]).momentum === 0);
 * ```
 */
export const sgd: Factory<"optimizer", Partial<SgdOptions>> = define({
  kind: "optimizer",
  name: "sgd",
  schema: sgdSchema,
  create: ({ momentum, dampening, nesterov, weightDecay }) => ({
    elementwise: true,
    state: (shape) => ({ momentum: momentum === 0 ? 0 : shape.reduce((a, b) => a * b, 1) }),
    update: (span, { step, learningRate, decays, gradientScale }, kernels) =>
      kernels.sgd(span as Span<"momentum">, {
        step,
        learningRate,
        momentum,
        dampening,
        nesterov,
        weightDecay: decays ? weightDecay : 0,
        gradientScale,
      }),
    idle: ({ decays }) => (decays && weightDecay > 0 ? undefined : 1),
  }),
});
