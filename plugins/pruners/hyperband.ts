/**
 * Hyperband.
 * @module
 */
import * as v from "valibot";
import { endsAtRung, firstLength, wholeFrom } from "../../blocks/pruner/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Study, Trial } from "../../core/types.ts";

/** Options of {@link hyperband}. */
export interface HyperbandOptions {
  /** Steps to the first rung. */
  readonly minResource: number;
  /** Steps of a whole trial; "auto": those of the first complete one. */
  readonly maxResource: number | "auto";
  /** The factor between the steps of two rungs; one of this many trials passes a rung. */
  readonly reductionFactor: number;
  /** Trials that end at each rung before any passes, shared out among the brackets. */
  readonly bootstrapCount: number;
}

/**
 * Successive halving in several brackets, which differ in how early they end trials (Li et al. 2018).
 *
 * @example
 * ```ts
 * import { hyperband } from "attune/pruners/hyperband";
 * console.assert(hyperband({ maxResource: 81 }).name === "hyperband");
 * ```
 */
export const hyperband: Factory<"pruner", Partial<HyperbandOptions>> = define({
  kind: "pruner",
  name: "hyperband",
  schema: v.pipe(
    v.strictObject({
      minResource: v.optional(wholeFrom(1), 1),
      maxResource: v.optional(v.union([wholeFrom(1), v.literal("auto")]), "auto"),
      reductionFactor: v.optional(wholeFrom(2), 3),
      bootstrapCount: v.optional(wholeFrom(0), 0),
    }),
    v.check(
      ({ maxResource, bootstrapCount }) => maxResource !== "auto" || bootstrapCount === 0,
      'Invalid options: bootstrapCount needs a number for maxResource instead of "auto"',
    ),
  ),
  create: ({ minResource, maxResource, reductionFactor: factor, bootstrapCount }: HyperbandOptions) => ({
    prune: (trial, study) => {
      const first = maxResource === "auto" ? firstLength(study) : { number: -1, steps: 0 };
      if (!first) return false;
      const budgets = budgetsOf(minResource, maxResource === "auto" ? first.steps + 1 : maxResource, factor);
      const rate = bracketOf(trial, study, budgets);
      const competing = study.trials.filter((other) =>
        other.number > first.number && bracketOf(other, study, budgets) === rate
      );
      return endsAtRung(trial, competing, study, { minResource, factor, rate, bootstrapCount });
    },
  }),
});

/** Returns the relative share of trials for each bracket. */
function budgetsOf(least: number, most: number, factor: number): readonly number[] {
  let last = 0;
  // In integers, since a rounded logarithm may be too small.
  for (let reach = least * factor; reach <= most; reach *= factor) last++;
  return Array.from({ length: last + 1 }, (_, bracket) => {
    const s = last - bracket;
    return Math.ceil((last + 1) * factor ** s / (s + 1));
  });
}

function bracketOf({ number }: Trial, { name }: Study, budgets: readonly number[]): number {
  let at = checksum(`${name}_${number}`) % budgets.reduce((a, b) => a + b, 0);
  return budgets.findIndex((budget) => (at -= budget) < 0);
}

/** Returns the CRC-32 of a text, as zlib computes it. */
function checksum(text: string): number {
  let crc = -1;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ -1) >>> 0;
}
