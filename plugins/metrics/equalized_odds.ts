/**
 * Equalized odds.
 * @module
 */
import * as v from "valibot";
import { type Gap, overGroups, parityEntries, parityOf, type ParityOptions } from "../../blocks/metric/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link equalizedOdds}. */
export interface EqualizedOddsOptions extends ParityOptions {
  /** How the two gaps are combined: the larger one, or their mean. */
  readonly agg: "worst_case" | "mean";
}

/**
 * Whether true and false positives are equally frequent in all groups: the larger of the gaps in both rates, or their
 * mean (Hardt et al. 2016), as in Fairlearn.
 *
 * @throws AttuneError if a row has no value of the column, or `column` and `columns` are both there or both missing.
 * @example
 * ```ts
 * import { equalizedOdds } from "attune/metrics/equalized-odds";
 * const metric = equalizedOdds({ column: "region" });
 * const rows = [[1, "north"], [0, "north"], [1, "south"], [1, "south"]] as const;
 * const state = rows.reduce(
 *   (s, [prediction, region]) => metric.update(s, { prediction, reference: 1, columns: { region } }),
 *   metric.init(),
 * );
 * console.assert(metric.compute(state)["equalized-odds"] === 0.5);
 * ```
 */
export const equalizedOdds: Factory<"metric", Partial<EqualizedOddsOptions>> = define({
  kind: "metric",
  name: "equalized-odds",
  schema: v.strictObject(
    {
      ...parityEntries,
      agg: v.optional(v.picklist(["worst_case", "mean"]), "worst_case"),
    },
  ),
  create: (options: EqualizedOddsOptions) =>
    overGroups("equalized-odds", options, (groups, overall) => {
      const [right, wrong] = (["truePositiveRate", "falsePositiveRate"] as const).map((rate) =>
        parityOf(rate, groups, overall, options.method)
      ) as [Gap, Gap];
      return options.agg === "mean" ? meanOfBoth(right, wrong) : worstOfBoth(right, wrong);
    }),
});

/** Combines gaps as Python's min does: a null first ratio stays, a null second one gives the first. */
function worstOfBoth(right: Gap, wrong: Gap): Gap {
  return {
    difference: Math.max(right.difference ?? 0, wrong.difference ?? 0),
    ratio: right.ratio === null || wrong.ratio === null ? right.ratio : Math.min(right.ratio, wrong.ratio),
  };
}

function meanOfBoth(right: Gap, wrong: Gap): Gap {
  const ratios = [right.ratio, wrong.ratio].filter((ratio) => ratio !== null);
  return {
    difference: ((right.difference ?? 0) + (wrong.difference ?? 0)) / 2,
    ratio: ratios.length === 0 ? null : ratios.reduce((a, b) => a + b, 0) / ratios.length,
  };
}
