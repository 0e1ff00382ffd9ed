/**
 * The objective of turning one text into another.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Factory, GenerationConfig } from "../../core/types.ts";
import { generationSchema, seq2seqTask } from "../../blocks/task/mod.ts";

/** Options of {@link seq2seqLm}. */
export interface Seq2seqLmOptions {
  /** The longest target in tokens; longer ones are cut. null: the same limit as for sources. */
  readonly maxTargetLength: number | null;
  /** How texts are generated, for predictions and for metrics on text. */
  readonly generation: Partial<GenerationConfig>;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * Conditional language modelling: -Σ ln p(target token | source, target tokens before it). Rows: `source`, `target`.
 *
 * @example
 * ```ts
 * import { seq2seqLm } from "attune/tasks/seq2seq-lm";
 * console.assert(seq2seqLm({ maxTargetLength: 64 }).subtasks[0]?.taskType === "SEQ_2_SEQ_LM");
 * ```
 */
export const seq2seqLm: Factory<"task", Partial<Seq2seqLmOptions>> = define({
  kind: "task",
  name: "seq2seq-lm",
  schema: v.strictObject({
    maxTargetLength: v.optional(
      v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens))),
      null,
    ),
    generation: v.optional(generationSchema, {}),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: ({ generation, maxTargetLength, columns }: Seq2seqLmOptions) => ({
    subtasks: [{
      ...seq2seqTask({ use: "seq2seq", with: { maxTargetLength, columns } }),
      // Generated texts may be as long as the targets in training.
      generate: { ...(maxTargetLength === null ? {} : { maxNewTokens: maxTargetLength }), ...generation },
    }],
  }),
});
