/**
 * Demographic parity.
 * @module
 */
import * as v from "valibot";
import { overGroups, parityEntries, parityOf, type ParityOptions } from "../../blocks/metric/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/**
 * Whether groups are selected equally: the gap between groups in the share of rows that get the positive class, as in
 * Fairlearn. Figures: `difference`, `ratio` (null for 0/0), and each group's shares.
 *
 * @throws AttuneError if a row has no value of the column, or `column` and `columns` are both there or both missing.
 * @example
 * ```ts
 * import { demographicParity } from "attune/metrics/demographic-parity";
 * const metric = demographicParity({ column: "region" });
 * const rows = [[1, "north"], [0, "north"], [1, "south"], [1, "south"]] as const;
 * const state = rows.reduce(
 *   (s, [prediction, region]) => metric.update(s, { prediction, reference: 1, columns: { region } }),
 *   metric.init(),
 * );
 * console.assert(metric.compute(state)["demographic-parity"] === 0.5);
 * ```
 */
export const demographicParity: Factory<"metric", Partial<ParityOptions>> = define({
  kind: "metric",
  name: "demographic-parity",
  schema: v.strictObject(parityEntries),
  create: (options: ParityOptions) =>
    overGroups("demographic-parity", options, (groups, overall) => ({
      ...parityOf("selectionRate", groups, overall, options.method),
    })),
});
