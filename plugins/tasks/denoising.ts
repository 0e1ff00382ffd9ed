/**
 * BART's own objective: restoring a text with masked parts.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { seq2seqTask } from "../../blocks/task/mod.ts";

/** Options of {@link denoising}. */
export interface DenoisingOptions {
  /** Share of the tokens that are masked. */
  readonly maskRatio: number;
  /** The mean length of a span, in tokens. */
  readonly poissonLambda: number;
  /** Share of the sentences that are shuffled first; BART was trained with 1. */
  readonly permuteSentenceRatio: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * Text infilling (Lewis et al. 2020): each span of `text`, with Poisson distributed length, becomes one mask; the
 * target is the whole text. Before that sentences may change places. Drawn anew in each epoch, the same for the same
 * seed.
 *
 * @example
 * ```ts
 * import { denoising } from "attune/tasks/denoising";
 * console.assert(denoising({ maskRatio: 0.2 }).subtasks[0]?.taskType === "SEQ_2_SEQ_LM");
 * ```
 */
export const denoising: Factory<"task", Partial<DenoisingOptions>> = define({
  kind: "task",
  name: "denoising",
  schema: v.strictObject({
    maskRatio: v.optional(v.pipe(v.number(), v.gtValue(0), v.ltValue(1)), 0.3),
    poissonLambda: v.optional(v.pipe(v.number(), v.minValue(1)), 3),
    permuteSentenceRatio: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: ({ maskRatio, poissonLambda, permuteSentenceRatio, columns }: DenoisingOptions) => ({
    subtasks: [seq2seqTask({
      use: "denoising",
      with: {
        kind: "text-infilling",
        noiseDensity: maskRatio,
        meanNoiseSpanLength: poissonLambda,
        permuteSentenceRatio,
        columns,
      },
    })],
  }),
});
