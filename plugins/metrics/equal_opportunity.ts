/**
 * Equal opportunity.
 * @module
 */
import * as v from "valibot";
import { overGroups, parityEntries, parityOf, type ParityOptions } from "../../blocks/metric/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/**
 * Whether those who deserve the positive class get it equally in all groups: the gap in true positive rates, as in
 * Fairlearn. A group without positive rows has a rate of 0, not a missing one; `minCount` and the counts show how
 * reliable that is.
 *
 * @throws AttuneError if a row has no value of the column, or `column` and `columns` are both there or both missing.
 * @example
 * ```ts
 * import { equalOpportunity } from "attune/metrics/equal-opportunity";
 * const metric = equalOpportunity({ column: "region" });
 * const rows = [[1, "north"], [0, "north"], [1, "south"], [1, "south"]] as const;
 * const state = rows.reduce(
 *   (s, [prediction, region]) => metric.update(s, { prediction, reference: 1, columns: { region } }),
 *   metric.init(),
 * );
 * console.assert(metric.compute(state)["equal-opportunity"] === 0.5);
 * ```
 */
export const equalOpportunity: Factory<"metric", Partial<ParityOptions>> = define({
  kind: "metric",
  name: "equal-opportunity",
  schema: v.strictObject(parityEntries),
  create: (options: ParityOptions) =>
    overGroups("equal-opportunity", options, (groups, overall) => ({
      ...parityOf("truePositiveRate", groups, overall, options.method),
    })),
});
