/**
 * The language modelling head: from hidden states to logits over the vocabulary.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, Named, Value } from "../../core/types.ts";
import { languageOutputs, styleOf } from "../../blocks/head/mod.ts";

/**
 * Logits of the positions with labels [picked, vocabSize], or of every position if rows have none. With labels, outside
 * training, also `predictions` and `logProbabilities` of the labels, both [picked].
 *
 * @example
 * ```ts
 * import { lm } from "attune/heads/lm";
 * console.assert(lm().modulesToSave.length === 0);
 * ```
 */
export const lm: Factory<"head"> = define({
  kind: "head",
  name: "lm",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: [],
    forward: (b, states, backbone): Named<Value> => {
      const style = styleOf(backbone, "lm", "lm", "this family has no language modelling head");
      return languageOutputs(b, states, backbone, style);
    },
  }),
});
