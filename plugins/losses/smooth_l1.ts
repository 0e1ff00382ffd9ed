/**
 * Smooth L1.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { abs, div, sub } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { huberOf } from "./huber.ts";
import { elementLoss, type ReductionOptions, reductionSchema } from "../../blocks/loss/mod.ts";

/** Options of {@link smoothL1}. */
export interface SmoothL1Options extends ReductionOptions {
  /** Where squares turn into absolute values; 0: absolute values everywhere. */
  readonly beta: number;
}

/**
 * ½d²/β for |d| < β, beyond it |d| - ½β, of d = x - t (Girshick 2015): Huber's loss over β.
 *
 * @example
 * ```ts
 * import { smoothL1 } from "attune/losses/smooth-l1";
 * console.assert(smoothL1({ beta: 0.5 }).over === "batch");
 * ```
 */
export const smoothL1: Factory<"loss", Partial<SmoothL1Options>> = define({
  kind: "loss",
  name: "smooth-l1",
  schema: v.strictObject({
    beta: v.optional(v.pipe(v.number(), v.minValue(0)), 1),
    reduction: reductionSchema,
  }),
  create: ({ beta, reduction }: SmoothL1Options) =>
    elementLoss(reduction, (output, target) => {
      const difference = sub(output, target);
      return beta === 0 ? abs(difference) : div(huberOf(difference, beta), beta);
    }),
});
