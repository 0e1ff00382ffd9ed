/**
 * Word error rate.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { errorRate, spacedWords } from "../../blocks/metric/mod.ts";

/**
 * Edits of words over the words of the references, summed over all rows; consecutive white space counts once, as in
 * jiwer.
 *
 * @example
 * ```ts
 * import { wer } from "attune/metrics/wer";
 * const metric = wer();
 * const state = metric.update(metric.init(), { prediction: "a b", references: ["a c"] });
 * console.assert(metric.compute(state).wer === 0.5);
 * ```
 */
export const wer: Factory<"metric"> = define({
  kind: "metric",
  name: "wer",
  schema: v.strictObject({}),
  create: () => errorRate("wer", spacedWords, 2),
});
