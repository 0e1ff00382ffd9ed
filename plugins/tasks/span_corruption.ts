/**
 * T5's own objective: predicting spans removed from a text.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { seq2seqTask } from "../../blocks/task/mod.ts";

/** Options of {@link spanCorruption}. */
export interface SpanCorruptionOptions {
  /** Share of the tokens that are removed. */
  readonly noiseDensity: number;
  /** Mean length of a span, in tokens. */
  readonly meanNoiseSpanLength: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * Span corruption (Raffel et al. 2020): random spans of `text` become sentinels; the target is each sentinel followed
 * by its span. Drawn anew in each epoch, the same for the same seed.
 *
 * @example
 * ```ts
 * import { spanCorruption } from "attune/tasks/span-corruption";
 * console.assert(spanCorruption({ noiseDensity: 0.3 }).subtasks[0]?.heads[0] === "seq2seq");
 * ```
 */
export const spanCorruption: Factory<"task", Partial<SpanCorruptionOptions>> = define({
  kind: "task",
  name: "span-corruption",
  schema: v.strictObject({
    noiseDensity: v.optional(v.pipe(v.number(), v.gtValue(0), v.ltValue(1)), 0.15),
    meanNoiseSpanLength: v.optional(v.pipe(v.number(), v.minValue(1)), 3),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: SpanCorruptionOptions) => ({
    subtasks: [seq2seqTask({ use: "denoising", with: { kind: "span-corruption", ...options } })],
  }),
});
