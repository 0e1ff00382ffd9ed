/**
 * The sequence classification head: one place of each sequence, through the family's own layers, to logits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { unsupported } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import type { Factory } from "../../core/types.ts";
import { applyStyle, pooledStates, reorderClasses } from "../../blocks/head/mod.ts";
import { classifierModules } from "../../formats/hf/head_modules.ts";

/** Options of {@link sequence}. */
export interface SequenceOptions {
  /** The number of outputs: classes, labels, or 1 for a regression. */
  readonly numLabels: number;
  /** The order of the layer's outputs, if a checkpoint has its classes in another order. */
  readonly order?: readonly number[] | undefined;
}

/** Schema of {@link SequenceOptions}. */
export const sequenceSchema: v.GenericSchema<SequenceOptions, SequenceOptions> = v.strictObject({
  numLabels: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.labels)),
  order: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))),
});

/**
 * Logits [sequences, numLabels] as the family's ForSequenceClassification computes them.
 *
 * @example
 * ```ts
 * import { sequence } from "attune/heads/sequence";
 * console.assert(sequence({ numLabels: 2 }).modulesToSave.includes("classifier"));
 * ```
 */
export const sequence: Factory<"head", SequenceOptions> = define({
  kind: "head",
  name: "sequence",
  schema: sequenceSchema,
  create: ({ numLabels, order }) => ({
    modulesToSave: classifierModules,
    forward: (b, states, backbone) => {
      const style = backbone.heads.sequence;
      if (!style) throw unsupported("sequence", "task", backbone.baseModelPrefix, "this family has no sequence head");
      const pooled = pooledStates(b, states.hidden, style.pool, states.encoder ? "decoder" : "input");
      const x = applyStyle(b, style, pooled);
      const logits = b.linear(style.out, x, { outFeatures: numLabels, bias: style.bias ?? true });
      return { logits: order ? reorderClasses(logits, order) : logits };
    },
  }),
});
