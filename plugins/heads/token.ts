/**
 * The token classification head: from the state of each labelled token to logits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { applyStyle, classifierEntries, type ClassifierOptions, classLogits, styleOf } from "../../blocks/head/mod.ts";
import { classifierModules } from "../../formats/hf/head_modules.ts";

/** Options of {@link token}. */
export interface TokenOptions extends ClassifierOptions {
  /** Number of classes. */
  readonly numLabels: number;
}

/**
 * Logits [picked, numLabels] for the positions with labels, or for every position if rows have none, as the family's
 * ForTokenClassification computes them; for encoder-decoder models, of the encoder.
 *
 * @example
 * ```ts
 * import { token } from "attune/heads/token";
 * console.assert(token({ numLabels: 5 }).modulesToSave.includes("classifier"));
 * ```
 */
export const token: Factory<"head", TokenOptions> = define({
  kind: "head",
  name: "token",
  schema: v.strictObject(classifierEntries),
  create: (options: TokenOptions) => ({
    modulesToSave: classifierModules,
    readsEncoder: true,
    forward: (b, states, backbone) => {
      const style = styleOf(backbone, "token", "token", "this family has no token head");
      const at = b.labelled("labels");
      const hidden = states.encoder ?? states.hidden;
      const x = applyStyle(b, style, at ? b.rows(hidden, at) : hidden);
      return { logits: classLogits(b, style, x, options) };
    },
  }),
});
