/** Options of masking, shared by the masked language modelling task and its collator. */
import * as v from "valibot";

/** Options of masking. Chosen tokens that are neither masked nor replaced keep their value. */
export interface MaskedTextOptions {
  /** Share of the tokens that are chosen. */
  readonly mlmProbability: number;
  /** Share of the chosen tokens that become the mask token. */
  readonly maskReplaceProb: number;
  /** Share of the chosen tokens that become a random token. */
  readonly randomReplaceProb: number;
  /** Whether all tokens of a word are chosen together. */
  readonly wholeWordMask: boolean;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

/** Schema of {@link MaskedTextOptions}. */
export const maskedTextSchema: v.GenericSchema<Partial<MaskedTextOptions>, MaskedTextOptions> = v.pipe(
  v.strictObject({
    mlmProbability: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 0.15),
    maskReplaceProb: v.optional(share, 0.8),
    randomReplaceProb: v.optional(share, 0.1),
    wholeWordMask: v.optional(v.boolean(), false),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  v.check(
    (o) => o.maskReplaceProb + o.randomReplaceProb <= 1,
    "maskReplaceProb and randomReplaceProb that add up to at most 1",
  ),
);
