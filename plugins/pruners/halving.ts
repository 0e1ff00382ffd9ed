/**
 * Successive halving.
 * @module
 */
import * as v from "valibot";
import { endsAtRung, firstLength } from "../../blocks/pruner/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link halving}. */
export interface HalvingOptions {
  /** Steps up to the first rung; "auto": a hundredth of the first complete trial's. */
  readonly minResource: number | "auto";
  /** How many times the steps of a rung the next one has, and of how many trials one passes. */
  readonly reductionFactor: number;
  /** Rungs that are left out at the beginning. */
  readonly minEarlyStoppingRate: number;
  /** Trials that end at each rung before any passes. */
  readonly bootstrapCount: number;
}

const whole = (least: number): v.GenericSchema<number> => v.pipe(v.number(), v.integer(), v.minValue(least));

/** Schema of {@link HalvingOptions}. */
export const halvingSchema: v.GenericSchema<Partial<HalvingOptions>, HalvingOptions> = v.pipe(
  v.strictObject({
    minResource: v.optional(v.union([whole(1), v.literal("auto")]), "auto"),
    reductionFactor: v.optional(whole(2), 4),
    minEarlyStoppingRate: v.optional(whole(0), 0),
    bootstrapCount: v.optional(whole(0), 0),
  }),
  v.check(
    ({ minResource, bootstrapCount }) => minResource !== "auto" || bootstrapCount === 0,
    'Invalid options: bootstrapCount needs a number in place of minResource "auto"',
  ),
);

/**
 * At each of ever longer rungs a trial goes on if it is among the best of those that came as far.
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
  schema: halvingSchema,
  create: ({ minResource, reductionFactor: factor, minEarlyStoppingRate: rate, bootstrapCount }) => ({
    prune: (trial, study) => {
      const first = minResource === "auto" ? firstLength(study) : { number: -1, steps: 0 };
      if (!first) return false;
      const least = minResource === "auto" ? Math.max(1, Math.floor(first.steps / 100)) : minResource;
      // Those that came before the length was known have no place on the ladder.
      const competing = study.trials.filter(({ number }) => number > first.number);
      return endsAtRung(trial, competing, study, { minResource: least, factor, rate, bootstrapCount });
    },
  }),
});
