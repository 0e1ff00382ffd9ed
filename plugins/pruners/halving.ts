/**
 * Successive halving.
 * @module
 */
import * as v from "valibot";
import { endsAtRung, firstLength, wholeFrom } from "../../blocks/pruner/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link halving}. */
export interface HalvingOptions {
  /** Steps to the first rung; "auto": a hundredth of those of the first complete trial. */
  readonly minResource: number | "auto";
  /** The factor between the steps of two rungs; one of this many trials passes a rung. */
  readonly reductionFactor: number;
  /** How many rungs to leave out at the start. */
  readonly minEarlyStoppingRate: number;
  /** Trials that must reach each rung before any passes. */
  readonly bootstrapCount: number;
}

/**
 * Asynchronous successive halving: at ever longer rungs, a trial continues if it is among the best that got there.
 *
 * @example
 * ```ts
 * import { halving } from "attune/pruners/halving";
 * console.assert(halving({ minResource: 50, reductionFactor: 3 }).name === "halving");
 * ```
 */
export const halving: Factory<"pruner", Partial<HalvingOptions>> = define({
  kind: "pruner",
  name: "halving",
  schema: v.pipe(
    v.strictObject({
      minResource: v.optional(v.union([wholeFrom(1), v.literal("auto")]), "auto"),
      reductionFactor: v.optional(wholeFrom(2), 4),
      minEarlyStoppingRate: v.optional(wholeFrom(0), 0),
      bootstrapCount: v.optional(wholeFrom(0), 0),
    }),
    v.check(
      ({ minResource, bootstrapCount }) => minResource !== "auto" || bootstrapCount === 0,
      'Invalid options: bootstrapCount needs a number for minResource instead of "auto"',
    ),
  ),
  create: ({ minResource, reductionFactor: factor, minEarlyStoppingRate: rate, bootstrapCount }: HalvingOptions) => ({
    prune: (trial, study) => {
      const first = minResource === "auto" ? firstLength(study) : { number: -1, steps: 0 };
      if (!first) return false;
      const least = minResource === "auto" ? Math.max(1, Math.floor(first.steps / 100)) : minResource;
      // Trials from before the length was known are not on the ladder.
      const competing = study.trials.filter(({ number }) => number > first.number);
      return endsAtRung(trial, competing, study, { minResource: least, factor, rate, bootstrapCount });
    },
  }),
});
