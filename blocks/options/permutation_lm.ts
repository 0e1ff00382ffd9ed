/** Options of permutation language modelling, shared by the task and its collator. */
import * as v from "valibot";
import { most } from "../../core/base/most.ts";

/** Options for the tokens that are predicted in a random order. */
export interface PermutedTextOptions {
  /** Length of a span divided by the length of its context. */
  readonly plmProbability: number;
  /** Longest span, in tokens. */
  readonly maxSpanLength: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Schema of {@link PermutedTextOptions}. */
export const permutedTextSchema: v.GenericSchema<Partial<PermutedTextOptions>, PermutedTextOptions> = v.strictObject({
  plmProbability: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 1 / 6),
  maxSpanLength: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens)), 5),
  columns: v.optional(v.record(v.string(), v.string()), {}),
});
