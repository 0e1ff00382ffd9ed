/**
 * The sequence classification head: from one state per sequence, through the family's own layers, to logits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import {
  applyStyle,
  classifierEntries,
  type ClassifierOptions,
  classLogits,
  pooledStates,
  styleOf,
} from "../../blocks/head/mod.ts";
import { classifierModules } from "../../formats/hf/head_modules.ts";

/** Options of {@link sequence}. */
export interface SequenceOptions extends ClassifierOptions {
  /** The number of outputs: classes, labels, or 1 for a regression. */
  readonly numLabels: number;
}

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
  schema: v.strictObject(classifierEntries),
  create: (options: SequenceOptions) => ({
    modulesToSave: classifierModules,
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "sequence", "sequence", "this family has no sequence head");
      const pooled = pooledStates(b, states.hidden, style.pool, states.encoder ? "decoder" : "input");
      const x = applyStyle(b, style, pooled);
      return { logits: classLogits(b, style, x, options) };
    },
  }),
});
