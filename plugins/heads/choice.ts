/**
 * The multiple choice head: a number for each of a sample's sequences.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { gather, less, maximum, reshape, where } from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";
import { applyStyle, pooledStates, styleOf } from "../../blocks/head/mod.ts";

/** The logit of a choice that a sample does not have: its probability is zero. */
const ABSENT = -1e9;

/**
 * Logits [samples, choices] as the family's ForMultipleChoice computes them. Samples may have different numbers of
 * choices.
 *
 * @example
 * ```ts
 * import { choice } from "attune/heads/choice";
 * console.assert(choice().modulesToSave.includes("classifier"));
 * ```
 */
export const choice: Factory<"head"> = define({
  kind: "head",
  name: "choice",
  schema: v.strictObject({}),
  create: () => ({
    modulesToSave: ["classifier", "pre_classifier", "score"],
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "choice", "choice", "this family has no multiple choice head");
      const pooled = pooledStates(b, states.hidden, style.pool);
      const each = b.linear(style.out, applyStyle(b, style, pooled), { outFeatures: 1, bias: style.bias ?? true });
      const members = b.input("members", "int32", ["samples", "members"]);
      const logits = gather(reshape(each, ["sequences"]), maximum(members, 0));
      return { logits: where(less(members, 0), ABSENT, logits) };
    },
  }),
});
