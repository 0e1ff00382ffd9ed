/**
 * XLNet's language modelling head: the query stream's predictions for its own positions.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import type { Factory } from "../../core/types.ts";
import { languageOutputs, styleOf } from "../../blocks/head/mod.ts";

/**
 * Logits of predicted positions [picked, vocabSize], or of every position without labels.
 *
 * @example
 * ```ts
 * import { permutationLm } from "attune/heads/permutation-lm";
 * console.assert(permutationLm().name === "permutation-lm");
 * ```
 */
export const permutationLm: Factory<"head"> = define({
  kind: "head",
  name: "permutation-lm",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: [],
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "permutation", "permutation-lm", "it has no query stream");
      // A dry build has no rows, and thus no order of prediction.
      if (!states.query && b.hasField("input_ids")) {
        throw missing("permutation-lm", "perm_mask", "the collator's fields");
      }
      return languageOutputs(b, { ...states, hidden: states.query ?? states.hidden }, backbone, style);
    },
  }),
});
