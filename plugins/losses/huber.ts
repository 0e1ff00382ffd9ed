/**
 * Huber's loss.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { abs, minimum, mul, sub } from "../../core/graph/ops/functions.ts";
import type { Factory, Value } from "../../core/types.ts";
import { elementLoss, type ReductionOptions, reductionSchema } from "../../blocks/loss/mod.ts";

/** Options of {@link huber}. */
export interface HuberOptions extends ReductionOptions {
  /** Where the parabola turns into a straight line. */
  readonly delta: number;
}

/**
 * ½d² for |d| ≤ δ, beyond it δ(|d| - ½δ), of d = x - t (Huber 1964): squares near the target, absolute values far from
 * it.
 *
 * @example
 * ```ts
 * import { huber } from "attune/losses/huber";
 * console.assert(huber({ delta: 2 }).name === "huber");
 * ```
 */
export const huber: Factory<"loss", Partial<HuberOptions>> = define({
  kind: "loss",
  name: "huber",
  schema: v.strictObject({
    delta: v.optional(v.pipe(v.number(), v.gtValue(0)), 1),
    reduction: reductionSchema,
  }),
  create: ({ delta, reduction }: HuberOptions) =>
    elementLoss(reduction, (output, target) => huberOf(sub(output, target), delta)),
});

/** Returns Huber's function of each difference: with c = min(|d|, δ), c(|d| - ½c). */
export function huberOf(difference: Value, delta: number): Value {
  const size = abs(difference);
  const cut = minimum(size, delta);
  return mul(cut, sub(size, mul(cut, 0.5)));
}
