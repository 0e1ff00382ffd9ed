/**
 * Stochastic gradient descent.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  commonEntries,
  type CommonOptions,
  decayOf,
  idleCoupled,
  nonNegative,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link sgd}. Weight decay is λ of an L2 term in the gradient. */
export interface SgdOptions extends CommonOptions {
  /** The share of the last step's direction that is kept. */
  readonly momentum: number;
  /** The share of the gradient that does not enter the momentum. */
  readonly dampening: number;
  /** Whether to use Nesterov momentum. */
  readonly nesterov: boolean;
}

/**
 * SGD as torch.optim.SGD: g ← g + λw, b ← μb + (1-τ)g (b = g at first), w ← w - lr·b, or lr·(g + μb) with Nesterov.
 *
 * @example
 * ```ts
 * import { sgd } from "attune/optimizers/sgd";
 * console.assert(sgd().state([3], "w").momentum === 0);
 * ```
 */
export const sgd: Factory<"optimizer", Partial<SgdOptions>> = define({
  kind: "optimizer",
  name: "sgd",
  schema: v.pipe(
    v.strictObject({
      momentum: v.optional(nonNegative, 0),
      dampening: v.optional(v.number(), 0),
      nesterov: v.optional(v.boolean(), false),
      ...commonEntries(),
    }),
    v.check(
      (o) => !o.nesterov || (o.momentum > 0 && o.dampening === 0),
      "nesterov only with momentum and without dampening",
    ),
  ),
  create: (options: SgdOptions) => {
    const { momentum, dampening, nesterov } = options;
    return withCommon(options, {
      elementwise: true,
      state: (shape) => ({ momentum: momentum === 0 ? 0 : sizeOf(shape) }),
      update: (span, update, kernels) =>
        kernels.sgd(span as FlatParameter<"momentum">, {
          ...update,
          momentum,
          dampening,
          nesterov,
          weightDecay: decayOf(update, options),
        }),
      decayWithoutGradient: idleCoupled(options),
    });
  },
});
