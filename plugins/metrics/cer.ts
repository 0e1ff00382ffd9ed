/**
 * Character error rate.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { errorRate, trim } from "../../blocks/metric/mod.ts";

/**
 * Edits of characters over the characters of the references, summed over all rows; leading and trailing white space is
 * ignored.
 *
 * @example
 * ```ts
 * import { cer } from "attune/metrics/cer";
 * const metric = cer();
 * const state = metric.update(metric.init(), { prediction: "ab", references: ["ac"] });
 * console.assert(metric.compute(state).cer === 0.5);
 * ```
 */
export const cer: Factory<"metric"> = define({
  kind: "metric",
  name: "cer",
  schema: v.strictObject({}),
  create: () => errorRate("cer", (text) => Array.from(trim(text)), 1),
});
